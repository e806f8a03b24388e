#!/usr/bin/env bash
# `make demo`: build the shop in a scratch copy, document it, show the diff, and document it again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset "${!OPENAI_@}" "${!DBT_@}"

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

rm -rf .demo
cp -R demo .demo
cd .demo
printf 'target/\nlogs/\n*.duckdb\n*.duckdb.wal\n.user.yml\n' > .gitignore
git init --quiet
git add .
git -c user.name=demo -c user.email=demo@example.com -c commit.gpgsign=false commit --quiet -m "The shop before"

say "dbt build, dbt docs generate (into .demo/)"
dbt --quiet seed --profiles-dir .
dbt --quiet build --profiles-dir .
dbt --quiet docs generate --profiles-dir .

say "dbt-describe document"
dbt-describe document --profiles-dir .

say "git diff"
git add --intent-to-add .
git --no-pager diff

say "dbt parse still accepts it; documenting again finds nothing to do"
dbt --quiet parse --profiles-dir .
dbt-describe document --profiles-dir .
