"""The platform's socket protocols: JSON messages whose operations run on the graph, one file per domain."""
