# What a long step shows while it runs, and what each stage of a script has cost. Sourced.
# shellcheck shell=bash

# Copies its input to its output, all but the lines that begin with "[": of those it shows the latest. On a terminal
# that is one line which is written anew; elsewhere, a log, it is a line every 15 s, for nobody reads a thousand of them.
show_progress() {
  local line last='' next=$((SECONDS + 15)) width=80
  local terminal=0
  [[ -t 1 ]] && terminal=1 width=$(tput cols 2>/dev/null || echo 80)
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line != \[* ]]; then
      ((terminal)) && [[ -n $last ]] && printf '\r\033[K'
      printf '%s\n' "$line"
    elif ((terminal)); then
      last=$line
      printf '\r\033[K%s' "${line:0:width-1}"
    elif last=$line && ((SECONDS >= next)); then
      printf '%s\n' "$line"
      next=$((SECONDS + 15)) last=''
    fi
  done
  [[ -n $last ]] || return 0
  if ((terminal)); then printf '\r\033[K'; fi
  printf '%s\n' "$last"
}

stage='' stage_began=0 stage_times=()

# Ends the stage before, and says what it took.
begin_stage() { # NAME
  end_stage
  stage=$1 stage_began=$SECONDS
  printf '\n== %s\n' "$stage"
}

end_stage() {
  [[ -n $stage ]] || return 0
  local seconds=$((SECONDS - stage_began))
  stage_times+=("$(printf '%6d s  %s' "$seconds" "$stage")")
  printf -- '-- %s: %d s\n' "$stage" "$seconds"
  stage=''
}

# Ends the last stage, and lists them all. For a trap on EXIT: what has failed says how long it went, too.
list_stages() {
  local status=$?
  end_stage
  ((${#stage_times[@]})) && printf '\n' && printf '%s\n' "${stage_times[@]}" "$(printf '%6d s  in all' "$SECONDS")"
  return "$status"
}
