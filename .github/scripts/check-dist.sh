#!/usr/bin/env bash
# Refuses when the committed dist is not what the sources build: from a clean tree, dist is removed, built
# again, and every changed, missing or additional file counts. The difference goes to the job summary.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Uncommitted and untracked files of the whole tree; what .gitignore names is not part of a commit.
tree_state() { git status --porcelain --untracked-files=all; }

before=$(tree_state)
if [ -n "$before" ]; then
  printf 'check-dist: the working tree is not clean before the build:\n%s\n' "$before" >&2
  exit 1
fi
if [ -z "$(git ls-files dist)" ]; then
  echo 'check-dist: no file of dist is committed; run "npm run build" and commit dist' >&2
  exit 1
fi

rm -rf dist
npm ci --ignore-scripts
npm run build

after=$(tree_state)
if [ -z "$after" ]; then
  echo 'check-dist: dist is what the sources build'
  exit 0
fi

printf 'check-dist: the build changed the tree; run "npm run build" and commit dist:\n%s\n' "$after" >&2
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
  {
    printf '### dist is not what the sources build\n\nRun `npm run build` and commit `dist`.\n\n~~~~~~~~~~diff\n'
    printf '%s\n' "$after"
    git diff --no-color -- dist | head -c 200000
    printf '\n~~~~~~~~~~\n'
  } >>"$GITHUB_STEP_SUMMARY"
fi
exit 1
