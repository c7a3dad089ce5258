"""The platform's tables, each created only if it is absent.

An existing table is not altered; `db doctor` reports its differences. The tables are written out here, so that this
revision does not change with the models.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# In the order in which they refer to one another. Unnamed constraints and indexes get PostgreSQL's automatic names.
TABLES = {
    "users": """
        CREATE TABLE users (
            uid serial CONSTRAINT users_pk PRIMARY KEY,
            mail varchar(80) NOT NULL CONSTRAINT unique_mail UNIQUE,
            password char(64) NOT NULL,
            f2a varchar(16) NOT NULL,
            role varchar(10) NOT NULL,
            name varchar(50) NOT NULL,
            lastname varchar(50) NOT NULL,
            phone varchar(12) NOT NULL,
            id_num varchar(15) NOT NULL,
            note text,
            manager integer REFERENCES users (uid) ON UPDATE RESTRICT ON DELETE RESTRICT,
            timestamp timestamp NOT NULL DEFAULT timezone('UTC', now()),
            active boolean NOT NULL DEFAULT true,
            external_id varchar UNIQUE
        )""",
    "cat_exchanges": """
        CREATE TABLE cat_exchanges (
            cat_ex_id serial CONSTRAINT cat_exchange_pk PRIMARY KEY,
            name varchar(30) NOT NULL CONSTRAINT unique_ex UNIQUE,
            ohlcv_view text
        )""",
    "cat_exchanges_params": """
        CREATE TABLE cat_exchanges_params (
            cat_ex_id integer NOT NULL REFERENCES cat_exchanges (cat_ex_id),
            name varchar(20) NOT NULL,
            value varchar(20) NOT NULL,
            CONSTRAINT unique_param_symbol UNIQUE (cat_ex_id, name)
        )""",
    "exchanges": """
        CREATE TABLE exchanges (
            ex_id serial CONSTRAINT exchange_pk PRIMARY KEY,
            uid integer NOT NULL REFERENCES users (uid) ON UPDATE CASCADE ON DELETE CASCADE,
            cat_ex_id integer NOT NULL REFERENCES cat_exchanges (cat_ex_id) ON UPDATE RESTRICT ON DELETE RESTRICT,
            name varchar(50) NOT NULL,
            test boolean NOT NULL DEFAULT false,
            active boolean NOT NULL DEFAULT true,
            timestamp timestamp NOT NULL DEFAULT timezone('UTC', now()),
            CONSTRAINT unique_user_exchange UNIQUE (uid, cat_ex_id, name)
        )""",
    "exchange_history": """
        CREATE TABLE exchange_history (
            ex_id integer NOT NULL REFERENCES exchanges (ex_id),
            user_id integer NOT NULL REFERENCES users (uid),
            currency varchar(15) NOT NULL,
            balance double precision NOT NULL,
            comment text,
            timestamp timestamp NOT NULL
        )""",
    "symbols": """
        CREATE TABLE symbols (
            symbol_id serial CONSTRAINT symbol_pk PRIMARY KEY,
            symbol varchar(20) NOT NULL,
            cat_ex_id integer NOT NULL REFERENCES cat_exchanges (cat_ex_id) ON DELETE RESTRICT,
            updateframe varchar(2) NOT NULL DEFAULT '1h',
            backtest smallint NOT NULL DEFAULT 30,
            decimals smallint NOT NULL DEFAULT 8,
            base varchar(6) NOT NULL,
            quote varchar(6),
            futures boolean NOT NULL DEFAULT false,
            only_ticker boolean NOT NULL DEFAULT false,
            CONSTRAINT "symbol_Exchange" UNIQUE (symbol, cat_ex_id)
        )""",
    "bots": """
        CREATE TABLE bots (
            bot_id serial CONSTRAINT bot_pk PRIMARY KEY,
            uid integer NOT NULL REFERENCES users (uid) ON UPDATE CASCADE ON DELETE CASCADE,
            name varchar(50) NOT NULL,
            dry_run boolean DEFAULT false,
            active boolean NOT NULL DEFAULT false,
            timestamp timestamp NOT NULL DEFAULT timezone('UTC', now()),
            CONSTRAINT bot_id_name_unique UNIQUE (bot_id, name)
        )""",
    "bot_exchanges": """
        CREATE TABLE bot_exchanges (
            bot_id integer NOT NULL REFERENCES bots (bot_id) ON DELETE CASCADE,
            ex_id integer NOT NULL REFERENCES exchanges (ex_id) ON DELETE CASCADE,
            CONSTRAINT unique_record UNIQUE (bot_id, ex_id)
        )""",
    "bot_log": """
        CREATE TABLE bot_log (
            bot_id integer NOT NULL REFERENCES bots (bot_id) ON DELETE CASCADE,
            feed_num smallint NOT NULL,
            ex_id integer NOT NULL,
            symbol text NOT NULL,
            position numeric NOT NULL,
            message text NOT NULL,
            timestamp timestamptz NOT NULL DEFAULT current_timestamp
        )""",
    "simulations": """
        CREATE TABLE simulations (
            num serial CONSTRAINT serial_primary PRIMARY KEY,
            bot_id integer NOT NULL REFERENCES bots (bot_id),
            name varchar(35) NOT NULL,
            json json,
            CONSTRAINT bot_name UNIQUE (bot_id, name)
        )""",
    "cat_strategies": """
        CREATE TABLE cat_strategies (
            cat_str_id serial PRIMARY KEY,
            name varchar(50) NOT NULL CONSTRAINT "unique name" UNIQUE,
            take_profit double precision,
            stop_loss double precision,
            trailing_stop double precision,
            timeout double precision,
            pre_load_bars smallint NOT NULL DEFAULT 200,
            feeds smallint NOT NULL DEFAULT 2,
            pairs boolean DEFAULT false
        )""",
    "cat_strategies_params": """
        CREATE TABLE cat_strategies_params (
            cat_str_id integer NOT NULL REFERENCES cat_strategies (cat_str_id) ON DELETE CASCADE,
            name text NOT NULL,
            value text NOT NULL,
            UNIQUE (cat_str_id, name)
        )""",
    "strategies": """
        CREATE TABLE strategies (
            str_id serial PRIMARY KEY,
            bot_id integer REFERENCES bots (bot_id) ON DELETE CASCADE,
            cat_str_id integer NOT NULL REFERENCES cat_strategies (cat_str_id) ON DELETE CASCADE,
            take_profit double precision,
            stop_loss double precision,
            trailing_stop double precision,
            timeout double precision,
            leverage double precision NOT NULL DEFAULT 1,
            size_pct double precision,
            size double precision,
            size_currency varchar(5),
            pre_load_bars smallint,
            feeds smallint DEFAULT 2,
            pairs boolean DEFAULT false
        )""",
    "strategies_params": """
        CREATE TABLE strategies_params (
            str_id integer NOT NULL REFERENCES strategies (str_id) ON DELETE CASCADE,
            name text NOT NULL,
            value text NOT NULL,
            UNIQUE (str_id, name)
        )""",
    "feeds": """
        CREATE TABLE feeds (
            feed_id serial CONSTRAINT feed_pk PRIMARY KEY,
            str_id integer NOT NULL REFERENCES strategies (str_id) ON DELETE CASCADE,
            symbol_id integer NOT NULL REFERENCES symbols (symbol_id) ON DELETE CASCADE,
            period varchar(10) NOT NULL,
            compression smallint NOT NULL,
            "order" smallint NOT NULL
        )""",
    "orders": """
        CREATE TABLE orders (
            order_id serial CONSTRAINT orders_pk PRIMARY KEY,
            bot_id integer NOT NULL,
            uid integer NOT NULL,
            ex_id integer NOT NULL,
            cat_ex_id integer NOT NULL,
            ex_order_id varchar(64),
            exchange varchar(50) NOT NULL,
            symbol varchar(20) NOT NULL,
            order_type varchar(15) NOT NULL,
            side varchar(4) NOT NULL,
            volume double precision NOT NULL,
            final_volume double precision,
            price double precision,
            plimit double precision,
            tick double precision,
            leverage double precision,
            futures boolean NOT NULL DEFAULT false,
            status varchar(20) NOT NULL,
            command varchar(64),
            reason varchar(35) NOT NULL,
            timestamp timestamp NOT NULL DEFAULT timezone('UTC', now())
        )""",
    "trades": """
        CREATE TABLE trades (
            trade_id serial CONSTRAINT trades_pk PRIMARY KEY,
            ex_trade_id varchar(64) NOT NULL,
            ex_order_id varchar(64) NOT NULL,
            uid integer NOT NULL,
            ex_id integer NOT NULL,
            symbol varchar(20) NOT NULL,
            order_type varchar(15) NOT NULL,
            side varchar(4) NOT NULL,
            volume double precision NOT NULL,
            price double precision NOT NULL,
            cost double precision NOT NULL,
            fee double precision NOT NULL,
            cur_volume double precision,
            cur_avg_price double precision,
            cur_avg_cost double precision,
            cur_fee double precision,
            roi double precision,
            roi_pct double precision,
            total_fee double precision,
            leverage double precision,
            time timestamp NOT NULL DEFAULT timezone('UTC', now()),
            CONSTRAINT unique_order_id UNIQUE (ex_trade_id, ex_order_id)
        )""",
    "dry_trades": """
        CREATE TABLE dry_trades (
            trade_id serial CONSTRAINT trades_simul_pk PRIMARY KEY,
            bot_id integer NOT NULL,
            uid integer NOT NULL,
            ex_id integer NOT NULL,
            symbol varchar(20) NOT NULL,
            side varchar(4) NOT NULL,
            volume double precision NOT NULL,
            price double precision NOT NULL,
            cost double precision NOT NULL,
            fee double precision NOT NULL,
            roi double precision,
            roi_pct double precision,
            reason varchar(35),
            closingtrade boolean NOT NULL DEFAULT false,
            timestamp timestamp NOT NULL DEFAULT timezone('UTC', now())
        )""",
    "api_keys": """
        CREATE TABLE api_keys (
            api_key_id serial PRIMARY KEY,
            uid integer NOT NULL REFERENCES users (uid) ON DELETE CASCADE,
            key varchar(128) NOT NULL UNIQUE,
            name text NOT NULL,
            description text,
            scopes varchar(255) NOT NULL,
            is_active boolean NOT NULL DEFAULT true,
            expires_at timestamp,
            last_used_at timestamp,
            created_at timestamp NOT NULL DEFAULT timezone('UTC', now())
        )""",
}

INDEXES = {
    "orders": (
        "CREATE INDEX uid_ex_id ON orders (uid, ex_id, status)",
        "CREATE INDEX bot_symbol_index ON orders (bot_id, status, symbol)",
        "CREATE INDEX ON orders (bot_id, order_id)",
        "CREATE INDEX ON orders (uid, order_id)",
        "CREATE INDEX ON orders (uid, ex_id, order_id)",
        "CREATE INDEX ON orders (symbol, cat_ex_id, order_id)",
        "CREATE INDEX ON orders (ex_order_id, ex_id, uid, order_id)",
    ),
    "trades": (
        "CREATE INDEX ON trades (uid, ex_id)",
        "CREATE INDEX ON trades (uid, trade_id)",
        "CREATE INDEX ON trades (uid, ex_id, trade_id)",
        "CREATE INDEX ON trades (ex_order_id, ex_id, uid, trade_id)",
    ),
    "dry_trades": (
        "CREATE INDEX ON dry_trades (uid, ex_id)",
        "CREATE INDEX ON dry_trades (bot_id, trade_id)",
        "CREATE INDEX ON dry_trades (uid, trade_id)",
        "CREATE INDEX ON dry_trades (uid, ex_id, trade_id)",
    ),
    "bot_log": ("CREATE INDEX ON bot_log (bot_id)",),
    "exchange_history": ("CREATE INDEX ON exchange_history (ex_id)",),
    "exchanges": (
        "CREATE INDEX ON exchanges (uid, ex_id)",
        "CREATE INDEX ON exchanges (cat_ex_id, ex_id)",
    ),
    "symbols": ("CREATE INDEX ON symbols (cat_ex_id, symbol_id)",),
    "bots": ("CREATE INDEX ON bots (uid, bot_id)",),
    "simulations": ("CREATE INDEX ON simulations (bot_id, num)",),
    "strategies": (
        "CREATE INDEX ON strategies (bot_id, str_id)",
        "CREATE INDEX ON strategies (cat_str_id, str_id)",
    ),
    "feeds": (
        "CREATE INDEX ON feeds (str_id, feed_id)",
        "CREATE INDEX ON feeds (symbol_id, feed_id)",
    ),
    "api_keys": ("CREATE INDEX ON api_keys (uid, api_key_id)",),
}


def upgrade() -> None:
    existing = set(sa.inspect(op.get_bind()).get_table_names())
    for table, statement in TABLES.items():
        if table not in existing:
            op.execute(statement)
            for index in INDEXES.get(table, ()):
                op.execute(index)
