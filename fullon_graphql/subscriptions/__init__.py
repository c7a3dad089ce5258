"""The roots of subscriptions: one file per streamed entity."""
