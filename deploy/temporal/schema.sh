#!/bin/sh
# Temporal's databases: created if missing, brought to the schema of this version. Every step can be repeated.
# The address and the credentials come from the SQL_… variables.
set -eu
for database in temporal:temporal temporal_visibility:visibility; do
  name=${database%%:*}
  temporal-sql-tool --db "$name" create
  temporal-sql-tool --db "$name" setup-schema -v 0.0
  temporal-sql-tool --db "$name" update-schema -d "/etc/temporal/schema/postgresql/v12/${database##*:}/versioned"
done
