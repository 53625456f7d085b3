# SPDX-License-Identifier: GPL-2.0-only
# pktgen.sh's report. $before and $after are snapshots of all counters; $sent is null where nobody told;
# $low to $high is how many of the sent frames should have been rewritten. The last line is the verdict.

def grouped: # 1234567 -> 1,234,567
	if . < 0 then "-\(-. | grouped)"
	elif . < 1000 then tostring
	else "\(. / 1000 | floor | grouped),\(. % 1000 | tostring | "000"[length:] + .)" end;
def percent: "\(. * 1e6 | round / 1e4) %";
def padded($width): (" " * $width + .)[-$width:];
def row($what; $n): "  \($what + " " * 28 | .[:28])\($n | grouped | padded(15))";
def delta(f): ($before[0] | f) as $was | $after[0] | f | with_entries(.value -= ($was[.key] // 0));
def spent(f): ($after[0] | f // 0) - ($before[0] | f // 0);
def drops($name): to_entries[]
	| select(.value > 0 and (.key | test("drop|miss|discard|err|fifo|no_?buf|overrun|full")))
	| "\($name) \(.key) \(.value | grouped)";
def a_second: if . == null or $elapsed < 1000 then null else . * 1e6 / $elapsed | floor end;

($speed * 1e6 / 8 / ($size + 20)) as $line # preamble 7, delimiter 1, gap 12
| def share:
	if . == null then "too short to tell"
	else "\(grouped)/s, " + if $speed == 0 then "line rate unknown"
		else "\(. / $line | percent) of line rate" end end;

delta(.tx) as $tx | delta(.rx) as $rx | delta(.reasons) as $reason
| spent(.arrived[0]) as $moved
| spent(.arrived[1]) as $kept
| (spent(.softirq) / 100) as $busy # seconds
| ($reason.rewritten // 0) as $rewritten
| ($reason.unknown_tag // 0) as $unknown
| ($reason | del(.rewritten, .unknown_tag) | to_entries | map(select(.value > 0))) as $other
| (if $baseline then $moved + $kept else $reason | add // 0 end) as $handled
| (if $sent then $sent + $errors else null end) as $offered
| (if $sent then $offered - $handled else 0 end) as $lost
| (if $sent then $lost / ([$offered, 1] | max) else 0 end) as $loss
| ([$errors | select(. > 0) | "pktgen errors \(grouped)"] + [$tx | drops($dev)] + [$rx | drops($dut)]
	| join(", ")) as $drops
| ($verb != "receive") as $here_tx
| ($verb != "send") as $here_rx

| (select($here_tx) | row("pktgen sent"; $sent), row("\($dev) tx_packets"; $tx.tx_packets)),
  (select($here_rx) | row("\($dut) rx_packets"; $rx.rx_packets)),
  (select($here_rx and ($baseline | not))
	| row("mangle rewritten"; $rewritten), row("mangle unknown_tag"; $unknown),
	  ($other[] | row("mangle \(.key)"; .value))),
  (select($here_rx) | row("arrived on target ports"; $moved), row("arrived on port \($port)"; $kept)),
  (select($drops != "") | "  counters of drops: \($drops)"),
  (select($here_rx and ($baseline | not)) | "  entities hit: \($hit | grouped) of \($entities | grouped)"),
  "  line rate: " + (if $speed == 0 then "unknown, the interface has no speed"
	else "\($line | floor | grouped)/s of \($size)-byte frames at \($speed) Mbit/s"
		+ if $kind == "" then "" else ", a name only: it is a \($kind)" end end),
  (select($here_tx) | $offered | a_second
	| "  offered: \(share); \(if . then "\(. / $threads | floor | grouped)/s a thread" else "" end)"),
  (select($here_rx) | (if $here_tx then $handled else $timed end) | a_second
	| "  handled: \(share); " + if . == null or $busy < 0.1 then "too little work to tell what a core does"
		else "\($handled / $busy | floor | grouped)/s a core "
			+ "(\($busy * 1e8 / $elapsed | round / 100) in softirq)" end),
  (select($here_rx) | "  lost: " + if $sent == null then "unknown without --count"
	else "\($lost | grouped), \($loss | percent)" end),

  if $here_tx and $sent == 0 then "WRONG: pktgen sent nothing"
  elif $here_tx and $count > 0 and ($timed_out | not) and $sent < $count then
	"WRONG: pktgen ended after \($sent | grouped) of \($count | grouped) frames (did the link go down?)"
  elif $here_rx | not then
	if ($errors + $tx.tx_dropped) * 100 > $max_loss * $sent then "LOSS: at the sender already: \($drops)"
	else "OK: \($sent | grouped) frames sent" end
  elif $lost < 0 then "WRONG: \(-$lost | grouped) frames more than were sent: somebody else sends too"
  elif $other != [] then "WRONG: frames counted as \($other | map(.key) | join(", "))"
  elif $baseline and $moved > 0 then "WRONG: without mangle \($moved | grouped) arrived on target ports"
  elif ($baseline | not) and $moved != $rewritten then
	"WRONG: mangle rewrote \($rewritten | grouped), but \($moved | grouped) arrived on target ports"
  elif ($baseline | not) and $kept != $unknown then
	"WRONG: \($unknown | grouped) had an unknown tag, but \($kept | grouped) arrived on port \($port)"
  elif ($baseline | not) and $sent and ($rewritten > $high or $unknown > $sent - $low) then
	"WRONG: \($rewritten | grouped) rewritten, \($unknown | grouped) unknown of \($sent | grouped) frames, "
	+ "should be \($low | grouped) and \($sent - $low | grouped)"
  elif $loss * 100 > $max_loss then
	"LOSS: \($lost | grouped) of \($offered | grouped) frames, \($loss | percent), may be \($max_loss) %"
	+ if $baseline then "" else " (compare --baseline)" end
  elif $baseline then "OK: \($handled | grouped) frames came"
  else
	"OK: \($handled | grouped) frames came, \($rewritten | grouped) rewritten, \($unknown | grouped) unknown"
  end
