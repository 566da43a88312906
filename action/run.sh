#!/usr/bin/env bash
# Runs yodel with what the environment says, and ends as it did. action.yml fills the environment.
set -u

# Options: each line of OPTION_FAIL_IF is typed behind --fail-if.
words=()
for name in $(compgen -e OPTION_); do
  # Not ${flag,,}: the bash of macOS is 3.2, which does not know that.
  flag=$(tr 'A-Z_' 'a-z-' <<<"${name#OPTION_}")
  while IFS= read -r line || [ -n "$line" ]; do
    [ -z "$line" ] || words+=("--$flag" "$line")
  done <<<"${!name}"
done
while IFS= read -r line || [ -n "$line" ]; do
  [ -z "$line" ] || words+=("$line")
done <<<"${YODEL_ARGS-}"

junit=${YODEL_JUNIT:-yodel.xml}
summary=$(mktemp -d)/summary.md
words+=(--output "$junit" --output "$summary")
[ -z "${YODEL_JSON-}" ] || words+=(--output "$YODEL_JSON")

npx --yes "yodel@$YODEL_VERSION" "$YODEL_COMMAND" "$YODEL_ADDRESS" "${words[@]}"
code=$?

[ ! -e "$summary" ] || cat "$summary" >>"$GITHUB_STEP_SUMMARY"
rm -rf "$(dirname "$summary")"
{
  echo "exit-code=$code"
  echo "junit=$junit"
} >>"$GITHUB_OUTPUT"
exit $code
