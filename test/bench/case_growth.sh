# (c) What must not cost: triggers that wait in the file, connections, watchers. The same binary and the same load, with
# and without, and a stored backlog against the bare publisher.

growth_queue=bench.growth
growth_options=(--queue.max-bytes 1TiB --queue.max-history 0 --shutdown.grace 0s)

# Made once: each round puts more into it than it takes out.
growth_prepare() {
  local began=$SECONDS
  rm -f "$files"/queue.db* "$files"/backlog.db*
  growth_start_away
  "$bin/bench-client" "$tower_port" post "$backlog" 1000 4 >/dev/null
  end_tower_away
  growth_file empty
  say "$backlog triggers, $(($(stat -c %s "$files/backlog.db") / 1048576)) MiB, stored in $((SECONDS - began)) s"
}

# With the queue file that there is.
growth_start() {  # [OPTION...]
  launch_tower "$growth_queue" "${growth_options[@]}" "$@"
  await_tower /readyz
}

growth_start_away() { launch_tower_away "$growth_queue" "${growth_options[@]}"; }

growth_memory() { note "$1_memory" "$(calc "$(peak_kib "$tower_pid") / 1024")"; }  # NAME

# Both loads into a file while there is no broker: what a put costs by itself.
growth_away() {  # NAME
  local result
  await_quiet
  growth_start_away
  note "$1_took_ms" "$(took_ms)"
  post_to_tower "$1_post" 32
  result=$("$bin/bench-client" "$tower_port" post "$triggers" 1000 4)
  note "$1_batch_rate" "$(calc "$triggers / $(value accept_seconds "$result")")"
  growth_memory "$1"
  end_tower_away
}

# Single triggers while all that is stored goes out. Checks that it did not run dry.
growth_post() {  # NAME CONNECTIONS [OPTION...]
  local name=$1 connections=$2
  shift 2
  make_queue "$growth_queue" "$queue_type"
  await_quiet
  growth_start "$@"
  post_to_tower "$name" "$connections"
  growth_memory "$name"
  end_tower
  drop_queue "$growth_queue"
}

growth_batch() {  # NAME [OPTION...]
  local name=$1 result
  shift
  make_queue "$growth_queue" "$queue_type"
  await_quiet
  growth_start "$@"
  result=$("$bin/bench-client" "$tower_port" deliver "$triggers" 1000 4)
  note "${name}_rate" "$(calc "$triggers / $(value seconds "$result")")"
  growth_memory "$name"
  end_tower
  expect_in_queue "$growth_queue" "$triggers"
  drop_queue "$growth_queue"
}

# The rate of the first confirms out of the file, from the first to the last of them.
growth_drain() {
  local first last count
  make_queue "$growth_queue" "$queue_type"
  await_quiet
  launch_tower "$growth_queue" "${growth_options[@]}"
  await_tower /livez
  first=$(await_metric triggers_published_total 1 60)
  count=$((triggers < backlog / 2 ? triggers : backlog / 2))
  last=$(await_metric triggers_published_total $(($(value value "$first") + count)) 600)
  count=$(($(value value "$last") - $(value value "$first")))
  note growth_drain_rate "$(calc "$count * 1000000 / ($(value at_us "$last") - $(value at_us "$first"))")"
  growth_memory growth_drain
  end_tower
  expect_in_queue "$growth_queue" "$(value value "$last")"
  drop_queue "$growth_queue"
}

growth_bare() {
  local result
  make_queue "$growth_queue" "$queue_type"
  await_quiet
  result=$("$bin/bare-publisher" "$url" "$growth_queue" "$triggers")
  note growth_bare_rate "$(calc "$triggers / $(value seconds "$result")")"
  drop_queue "$growth_queue"
}

# Options of 100 watchers, each of an empty folder of its own.
growth_watchers() {
  local i
  for ((i = 1; i <= 100; ++i)); do
    mkdir -p "$dir/watched/$i"
    echo "--plugin w$i=file --plugin.w$i.path $dir/watched/$i"
  done
}

growth_ratio() { note "$1_ratio" "$(calc "$(last "$1_rate") / $(last "$2_rate")")"; }  # NAME BASELINE

# The next run begins with a file like this: empty, or with the backlog.
growth_file() {  # empty|backlog
  if [ ! -f "$files/backlog.db" ]; then
    [ ! -s "$files/queue.db-wal" ] || die "the file of the backlog was not closed"
    mv "$files/queue.db" "$files/backlog.db"
  fi
  rm -f "$files"/queue.db*
  [ "$1" = empty ] || mv "$files/backlog.db" "$files/queue.db"
}

growth_round() {
  local watchers
  growth_file empty
  growth_away growth_empty
  growth_file backlog
  growth_away growth_full
  growth_post growth_draining 32
  [ "$published" -lt "$backlog" ] || die "the backlog was gone before the load ended: BENCH_BACKLOG is too small"
  growth_drain
  growth_bare

  growth_file empty
  growth_post growth_plain 32
  growth_file empty
  growth_post growth_thousand 1000
  growth_file empty
  growth_batch growth_plain_batch
  watchers=$(growth_watchers)
  growth_file empty
  growth_post growth_watched 32 $watchers
  growth_file empty
  growth_batch growth_watched_batch $watchers
  growth_file empty
  rm -rf "$dir/watched"

  growth_ratio growth_full_post growth_empty_post
  growth_ratio growth_full_batch growth_empty_batch
  growth_ratio growth_draining growth_plain
  growth_ratio growth_drain growth_bare
  growth_ratio growth_thousand growth_plain
  growth_ratio growth_watched growth_plain
  growth_ratio growth_watched_batch growth_plain_batch
}

growth_report() {
  heading "(c) $backlog triggers in the file, no broker" "none" "backlog"
  row "accepted a second, 32 connections" 0 growth_full_post_rate growth_empty_post_rate
  row "accepted a second, batches of 1000" 0 growth_full_batch_rate growth_empty_batch_rate
  row "start until it listens (took_ms), ms" 0 growth_full_took_ms growth_empty_took_ms
  row "peak memory, MiB" 1 growth_full_memory growth_empty_memory
  ratio_row "ratio, 32 connections" growth_full_post_ratio 0.9
  ratio_row "ratio, batches" growth_full_batch_ratio 0.9

  heading "(c) the same while it drains, $queue_type queue" "none" "backlog"
  row "accepted a second, 32 connections" 0 growth_draining_rate growth_plain_rate
  row "  confirmed meanwhile, a second" 0 growth_draining_published growth_plain_published
  row "answer, p99, ms" 2 growth_draining_p99_ms growth_plain_p99_ms
  row "peak memory, MiB" 1 growth_draining_memory growth_plain_memory
  ratio_row "ratio of accepted a second" growth_draining_ratio 0.9

  heading "(c) draining it, nothing else, $queue_type queue" "publisher" "backlog"
  row "confirmed a second" 0 growth_drain_rate growth_bare_rate
  row "peak memory, MiB" 1 growth_drain_memory
  ratio_row "ratio of confirmed a second" growth_drain_ratio 0.9

  heading "(c) 1000 connections against 32" 32 1000
  row "accepted a second" 0 growth_thousand_rate growth_plain_rate
  row "answer, p50, ms" 2 growth_thousand_p50_ms growth_plain_p50_ms
  row "answer, p99, ms" 2 growth_thousand_p99_ms growth_plain_p99_ms
  row "peak memory, MiB" 1 growth_thousand_memory growth_plain_memory
  ratio_row "ratio of accepted a second" growth_thousand_ratio 0.9

  heading "(c) 100 watchers of empty folders" "none" 100
  row "accepted a second, 32 connections" 0 growth_watched_rate growth_plain_rate
  row "confirmed a second, batches of 1000" 0 growth_watched_batch_rate growth_plain_batch_rate
  row "peak memory, MiB" 1 growth_watched_batch_memory growth_plain_batch_memory
  ratio_row "ratio, 32 connections" growth_watched_ratio 0.9
  ratio_row "ratio, batches" growth_watched_batch_ratio 0.9
}
