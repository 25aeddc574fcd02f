"""Serves ClickHouse's HTTP interface over the embedded engine, so that every ClickHouse client can ask it.

extensions:
  clickhouse_http:
    endpoint: localhost:8123
    path: ./data/clickhouse            # the folder of the clickhouse exporter, or its chdb:// endpoint
    users:
      default: {}                      # no password, so nothing but reading
      writer: {password: ${env:WRITER_PASSWORD}, readonly: false}

$ curl localhost:8123 -d 'SELECT count() FROM otel_traces FORMAT JSON'

    request → who asks → what it may do → engine → blocks → response
    request.py           statement.py, rules.py     execution.py, engine.py    server.py

Only the store is served: statements that would reach files, other hosts or processes are refused for
every user, and so are external tables, which the engine has no way to take.
"""

from agenttracer.collector.extensions.clickhouse_http.options import ClickHouseHttpOptions, User
from agenttracer.collector.extensions.clickhouse_http.server import ClickHouseHttp

__all__ = ["ClickHouseHttp", "ClickHouseHttpOptions", "User"]
