#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A load test of mangle with the Linux kernel's packet generator; see --help and bench/README.md.
#
# pktgen begins each payload with its own header: 32 bits 0xbe9be955, a 32-bit sequence number that
# counts from 1 in every thread, seconds, microseconds, all big-endian. It can send no other payload, so
# the tag is laid over a part of that: how many entities are hit is a matter of which part.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

usage() {
	cat <<'EOF'
pktgen.sh run     --dev IF --dut IF [OPTION…]   both ends here: a veth pair, two ports with a cable
pktgen.sh send    --dev IF --mac MAC [OPTION…]  this machine sends
pktgen.sh receive --dut IF [OPTION…]            this machine has mangle; start it first

Loads IF (device under test) with tagged UDP frames from the kernel's pktgen, counts them in pktgen, in both
drivers, in mangle, and by destination port in an nft ingress chain behind it, which drops them.
It makes mangle's service and entities itself and removes them; it refuses where mangle is in use.
Of two machines, both need the same options marked *.

  --dev IF, --dev-netns NS   where pktgen sends
  --dut IF, --dut-netns NS   where mangle is attached
  -t, --threads N *          pktgen threads, each on a CPU of its own (1)
  -f, --first-cpu N          the first of these CPUs (0)
  -n, --count N *            frames by all threads together (receive: judges loss by it)
      --seconds N            how long to send where there is no count (10);
                             receive: ends with the count, 2 s without a frame, or after N s (60)
  -r, --rate N               frames a second by all threads together (flat out)
  -s, --size N *             frame on the wire with its FCS, without preamble and gap (64; IPv6: 82)
  -b, --burst N *            sends each frame N times, with one doorbell (1; not on veth)
  -d, --dest ADDRESS *       IPv4 or IPv6, need not exist (198.18.0.42)
  -m, --mac MAC              destination MAC (run: that of --dut)
      --flows N              source ports used in turn (1): one flow is one receive queue and one core
  -T, --tags MODE            one     tag 0:4, the magic number: one entity
                             256     tag 7:1, low byte of the sequence number (default)
                             65536   tag 6:2, its low 16 bits
                             many    tag 4:4, all of it: each entity once a thread, then unknown tags
  -e, --entities N *         entities with -T many: tags 1 to N (the count, at most 1,000,000)
      --mode auto|native|generic   how mangle is attached (auto)
      --baseline             without mangle: what the path does by itself
      --max-loss PERCENT     frames that may be lost (0)

Exit status: 0 every frame came, rewritten as it should be; 1 not so, or not possible; 2 the command line is
wrong; 77 no pktgen here. MANGLE_CTL names the tool (build/mangle-ctl, else the installed one).
EOF
}

bad() { # the command line
	echo "pktgen.sh: $* (see --help)" >&2
	exit 2
}

die() {
	echo "pktgen.sh: $*" >&2
	exit 1
}

# --- the command line

readonly port=5000 first_target=6000 targets=10 # the shared port; entities get 6000 to 6009
verb=${1-} dev='' dut='' dev_ns='' dut_ns='' threads=1 first_cpu=0 count=0 seconds=0 rate=0 size=0 burst=1
dest=198.18.0.42 mac='' flows=1 tags=256 entities=0 mode=auto baseline=false max_loss=0
dev_kind='' dut_kind='' dut_mac='' # what the machine says of the interfaces

number() { # VARIABLE OPTION TEXT MIN MAX
	if ! [[ $3 =~ ^[0-9]{1,12}$ ]] || ((10#$3 < $4 || 10#$3 > $5)); then
		bad "$2 '$3': not a number from $4 to $5"
	fi
	printf -v "$1" %d "$((10#$3))"
}

parse() {
	case $verb in
	-h | --help) usage && exit 0 ;;
	run | send | receive) shift ;;
	*) bad "'$verb': not run, send or receive" ;;
	esac
	while [ $# -gt 0 ]; do
		case $1 in
		-h | --help) usage && exit 0 ;;
		--baseline) baseline=true && shift && continue ;;
		-*) [ $# -ge 2 ] || bad "$1: needs a value, or is no option" ;;
		*) bad "'$1': not an option" ;;
		esac
		case $1 in
		--dev) dev=$2 ;;
		--dut) dut=$2 ;;
		--dev-netns) dev_ns=$2 ;;
		--dut-netns) dut_ns=$2 ;;
		-t | --threads) number threads "$1" "$2" 1 1024 ;;
		-f | --first-cpu) number first_cpu "$1" "$2" 0 8191 ;;
		-n | --count) number count "$1" "$2" 1 9999999999 ;;
		--seconds) number seconds "$1" "$2" 1 86400 ;;
		-r | --rate) number rate "$1" "$2" 1 1000000000 ;;
		-s | --size) number size "$1" "$2" 64 9218 ;;
		-b | --burst) number burst "$1" "$2" 1 1024 ;;
		-d | --dest) dest=$2 ;;
		-m | --mac) mac=$2 ;;
		--flows) number flows "$1" "$2" 1 10000 ;;
		-T | --tags) tags=$2 ;;
		-e | --entities) number entities "$1" "$2" 1 10000000 ;;
		--mode) mode=$2 ;;
		--max-loss) max_loss=$2 ;;
		*) bad "$1: not an option" ;;
		esac
		shift 2
	done

	local smallest=64
	[ "$verb" = receive ] || [ -n "$dev" ] || bad "$verb: needs --dev, the interface that sends"
	[ "$verb" = send ] || [ -n "$dut" ] || bad "$verb: needs --dut, the interface that mangle is attached to"
	[ "$verb" != send ] || [ -n "$mac" ] || bad "send: needs --mac, the address of the interface that receives"
	[ "$dev:$dev_ns" != "$dut:$dut_ns" ] || bad "--dev and --dut are one and the same interface"
	[ -z "$mac" ] || [[ $mac =~ ^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$ ]] || bad "--mac '$mac': not a MAC address"
	if ! [[ $dest =~ ^([0-9]+\.){3}[0-9]+$|^[0-9a-fA-F:]*:[0-9a-fA-F:.]*$ ]] ||
		! ip address show to "$dest" >/dev/null 2>&1; then
		bad "--dest '$dest': not an IP address"
	fi
	case $tags in
	one | 256 | 65536 | many) ;;
	*) bad "--tags '$tags': not one, 256, 65536 or many" ;;
	esac
	case $mode in
	auto | native | generic) ;;
	*) bad "--mode '$mode': not auto, native or generic" ;;
	esac
	[[ $max_loss =~ ^[0-9]{1,2}(\.[0-9]{1,6})?$ ]] || bad "--max-loss '$max_loss': not a percentage under 100"
	[ "$tags" = many ] || [ "$entities" = 0 ] || bad "--entities: goes with --tags many"
	[[ $dest != *:* ]] || smallest=82 # else pktgen's header has no room, and pktgen sends larger ones
	((size)) || size=$smallest
	((size >= smallest)) || bad "--size $size: with IPv6 the smallest is $smallest"
	((count == 0 || count >= threads)) || bad "--count $count: less than one frame a thread"
	((rate == 0 || threads * burst * 1000000000 / rate <= 9999999999)) ||
		bad "--rate $rate: too low for $threads threads with bursts of $burst"
	case $tags in
	one | 256 | 65536) entities=${tags/one/1} ;;
	many) ((entities)) || entities=$((count > 0 && count < 1000000 ? count : 1000000)) ;;
	esac
	if ((seconds == 0)); then
		if [ "$verb" = receive ]; then
			seconds=60
		elif ((count == 0)); then
			seconds=10
		fi
	fi
}

# --- the machine

in_ns() { # NS COMMAND…
	if [ -n "$1" ]; then
		nsenter --net="/run/netns/$1" -- "${@:2}"
	else
		shift && "$@"
	fi
}

link() { # NS DEV: what ip says of it, with counters
	ip ${1:+-n "$1"} -s -s -d -j link show dev "$2"
}

mangle() { "$ctl" ${dut_ns:+-n "$dut_ns"} "$@"; }

# Tells its MAC address and, where no hardware is behind it, its kind.
check_interface() { # NS DEV
	local words flags mtu
	[ -z "$1" ] || [ -e "/run/netns/$1" ] || die "$1: no such network namespace (see ip netns list)"
	words=$(link "$1" "$2" 2>/dev/null | jq -r '.[0] |
		"\(.flags | join(",")) \(.mtu) \(.address) \(.linkinfo.info_kind // "")"') ||
		die "$2: no such interface${1:+ in $1} (see ip${1:+ -n $1} link)"
	read -r flags mtu words <<<"$words"
	[[ ,$flags, = *,UP,* ]] || die "$2: is down (ip${1:+ -n $1} link set $2 up)"
	((size - 18 <= mtu)) || die "$2: frames of $size bytes: its MTU is $mtu (raise it, or lower --size)"
	echo "$words"
}

# Attaching to hardware may have taken the link down for seconds.
wait_carrier() { # NS DEV
	local _
	for _ in {1..100}; do
		[[ $(ip ${1:+-n "$1"} link show dev "$2") != *LOWER_UP* ]] || return 0
		sleep 0.1
	done
	die "$2: no carrier for 10 s (is the cable in, the other end up?)"
}

check_machine() {
	local tool words
	[ "$(id -u)" = 0 ] || die "$verb: needs root"
	for tool in ip jq ethtool nsenter nft; do
		[ "$verb $tool" = "send nft" ] || command -v "$tool" >/dev/null ||
			die "$tool: not found (install iproute2, jq, ethtool, util-linux, nftables)"
	done
	if [ "$verb" != receive ]; then
		words=$(check_interface "$dev_ns" "$dev")
		read -r _ dev_kind <<<"$words"
	fi
	if [ "$verb" != send ]; then
		words=$(check_interface "$dut_ns" "$dut")
		read -r dut_mac dut_kind <<<"$words"
	fi
	if [ "$verb" != receive ]; then
		if [ ! -e /proc/net/pktgen/pgctrl ]; then
			modprobe -q pktgen 2>/dev/null || {
				echo "pktgen.sh: pktgen: this kernel $(uname -r) has no such module" \
					"(install the package that has it, or a kernel with CONFIG_NET_PKTGEN)" >&2
				exit 77
			}
			undo+=(module)
		fi
		! in_ns "$dev_ns" sh -c 'cat /proc/net/pktgen/kpktgend_*' |
			grep -E '^(Running|Stopped): +[^ ]' >/dev/null || # not -q: cat would die of it
			die "pktgen: somebody uses it${dev_ns:+ in $dev_ns} (echo reset >/proc/net/pktgen/pgctrl)"
	fi
	[ "$verb" != send ] || return 0
	command -v "$ctl" >/dev/null || die "$ctl: not found (make, make install, or set MANGLE_CTL)"
	[ ! -e /sys/fs/bpf/mangle ] ||
		die "mangle: is in use here, and its tables are not for tests (mangle-ctl detach --all --purge)"
}

# --- the receiving end

# Tags in turn have targets in turn; lines are written target by target, as the shell is quick that way.
write_entities() { # FILE
	local i digits=8 first=1 last=$entities
	case $tags in
	one) echo "0xbe9be955 $first_target" >"$1" && return ;;
	256) digits=2 first=0 last=255 ;;
	65536) digits=4 first=0 last=65535 ;;
	esac
	for ((i = first; i < first + targets && i <= last; i++)); do
		# shellcheck disable=SC2046,SC2059 # a list; the port is part of the format
		printf "0x%0${digits}x $((first_target + i % targets))\n" $(seq "$i" "$targets" "$last")
	done >"$1"
}

attach() {
	local -A at=([one]="0, length: 4" [256]="7, length: 1" [65536]="6, length: 2" [many]="4, length: 4")
	cat >"$tmp/pktgen.yaml" <<-EOF
		version: 1
		services:
		  - name: pktgen
		    protocol: udp
		    ports: [$port]
		    tag: { offset: ${at[$tags]} }
		    size: { min: 16, max: 65507 }
		    entities-file: pktgen.map
	EOF
	mangle attach "$dut" --mode "$mode" --config "$tmp/pktgen.yaml" >/dev/null ||
		die "$dut: mangle is not attached (see the line above)"
	undo+=(attached)
	mode=$(mangle -j status | jq -r '.interfaces[0].mode')
}

# Counts by destination port, and drops, so that nothing answers and nothing is forwarded.
make_sink() {
	local ip=ip
	[[ $dest != *:* ]] || ip=ip6
	in_ns "$dut_ns" nft -f - 2>"$tmp/nft" <<-EOF ||
		create table netdev mangle_pktgen
		table netdev mangle_pktgen {
			chain in {
				type filter hook ingress device "$dut" priority -450;
				$ip daddr $dest udp dport $first_target-$((first_target + targets - 1)) counter drop
				$ip daddr $dest udp dport $port counter drop
			}
		}
	EOF
		die "$dut: the counting nft table mangle_pktgen: $(head -n 1 "$tmp/nft")"
	undo+=(sink)
}

# --- the sending end

# Tells pktgen something; what it does not take ends this.
pg() { # FILE COMMAND…
	local error
	# shellcheck disable=SC2016 # for the shell in there
	error=$(in_ns "$dev_ns" bash -c '
		for command in "${@:2}"; do
			echo "$command" 2>/dev/null >"$1" && result=$(<"$1") && [[ $result = *Result:\ OK* ]] || {
				echo "$command"
				exit 1
			}
		done' - "/proc/net/pktgen/$1" "${@:2}" 2>&1) ||
		die "$dev: pktgen does not take '$error' (not with this interface or kernel; see dmesg)"
}

control() { # COMMAND, to all threads
	in_ns "$dev_ns" tee /proc/net/pktgen/pgctrl <<<"$1" >/dev/null
}

shared=yes # pktgen keeps a reference to the frame that it sends
setup_pktgen() {
	local i cpu
	local -a common
	undo+=(pktgen)
	common=("pkt_size $((size - 4))" "dst_mac ${mac:-$dut_mac}" "udp_dst_min $port" "udp_dst_max $port"
		"udp_src_min 10000" "udp_src_max $((10000 + flows))" "flag UDPCSUM" "flag QUEUE_MAP_CPU")
	if [[ $dest = *:* ]]; then
		common+=("dst6 $dest" "src6 2001:2::1")
	else
		common+=("dst_min $dest" "src_min 198.18.0.1")
	fi
	# The delay is between bursts.
	((rate == 0)) || common+=("delay $((threads * burst * 1000000000 / rate))")
	((burst == 1)) || common+=("burst $burst")
	for ((i = 0; i < threads; i++)); do
		cpu=$((first_cpu + i))
		[ -e "/proc/net/pktgen/kpktgend_$cpu" ] ||
			die "CPU $cpu: pktgen has no thread there (fewer --threads, another --first-cpu)"
		pg "kpktgend_$cpu" "add_device $dev@$cpu"
		pg "$dev@$cpu" "${common[@]}" "count $((count / threads + (i < count % threads)))"
		# What traffic is like; since 6.7, and not with bursts.
		((burst > 1)) || ! (pg "$dev@$cpu" "flag !SHARED") 2>/dev/null || shared=''
	done
	# Generic XDP makes room in the very buffer, which the kernel does not survive where somebody else
	# has a reference (BUG in pskb_expand_head). Hardware is no problem: it makes buffers of its own.
	if [ -n "$shared" ] && [ -n "$dev_kind" ]; then
		[ "$verb" = send ] || [ "$mode" != generic ] || $baseline ||
			die "$dut: generic mode behind $dev: with pktgen this crashes Linux before 6.7 (use native)"
		[ "$verb" != send ] || echo "pktgen.sh: $dev: a virtual interface: with generic XDP at its other end" \
			"pktgen crashes Linux before 6.7" >&2
	fi
}

# Sets sent, errors, elapsed (us), and of what was sent low and high: how much should have been rewritten.
send() {
	local i began=0 ended=0 a b d mine starter
	control start &
	starter=$!
	if ((seconds)); then
		sleep "$seconds" &
		timer=$!
		wait -n "$starter" "$timer" || true
		! kill -0 "$starter" 2>/dev/null || { timed_out=true && control stop; }
		kill "$timer" 2>/dev/null || true
	fi
	wait "$starter" || die "$dev: pktgen did not start"
	sent=0
	for ((i = first_cpu; i < first_cpu + threads; i++)); do
		mine=0
		in_ns "$dev_ns" cat "/proc/net/pktgen/$dev@$i" >"$tmp/pktgen.result"
		while read -r a b _ d _; do
			case $a in
			pkts-sofar:) mine=$b errors=$((errors + d)) ;;
			started:)
				((began && began < ${b%us})) || began=${b%us}
				((ended > ${d%us})) || ended=${d%us}
				;;
			esac
		done <"$tmp/pktgen.result"
		sent=$((sent + mine))
		expect "$mine"
	done
	elapsed=$((ended - began))
}

# A burst has one sequence number, and where a queue was full in its midst the next one begins anywhere.
expect() { # FRAMES: of one thread
	local most=$1
	if [ "$tags" = many ]; then
		low=$((low + ($1 < entities ? $1 : entities)))
		((most < entities + burst)) || most=$((entities + burst - 1))
	else
		low=$((low + $1))
	fi
	high=$((high + most))
}

# --- counting

handled() { # frames that mangle has dealt with, or without it the sink
	if $baseline; then
		sink | jq '[.nftables[].rule.expr[]?.counter.packets // empty] | add'
	else
		mangle -j stats | jq '.services.pktgen.packets.seen'
	fi
}

sink() {
	in_ns "$dut_ns" nft -j list table netdev mangle_pktgen
}

driver() { # NS DEV
	in_ns "$1" ethtool -S "$2" 2>/dev/null || true
}

# All that counts here, as tx and rx (what ip and the driver count), arrived (frames on target ports, on the
# shared port), reasons (mangle's), and how long all CPUs were in softirq, in hundredths of a second.
snapshot() { # FILE
	local d=$tmp/now
	mkdir -p "$d"
	echo null | tee "$d"/{tx,rx,sink,stats} >/dev/null # what there is not
	: | tee "$d"/{tx,rx}.driver
	if [ "$verb" != receive ]; then
		link "$dev_ns" "$dev" >"$d/tx"
		driver "$dev_ns" "$dev" >"$d/tx.driver"
	fi
	if [ "$verb" != send ]; then
		link "$dut_ns" "$dut" >"$d/rx"
		driver "$dut_ns" "$dut" >"$d/rx.driver"
		sink >"$d/sink"
		$baseline || mangle -j stats >"$d/stats"
	fi
	jq -n --slurpfile tx "$d/tx" --rawfile tx_driver "$d/tx.driver" --slurpfile rx "$d/rx" \
		--rawfile rx_driver "$d/rx.driver" --slurpfile sink "$d/sink" --slurpfile stats "$d/stats" \
		--arg cpus "$(grep '^cpu[0-9]' /proc/stat)" '
		def counters($driver): if . then
			[.[0].stats64 | to_entries[] | .key as $way | .value | to_entries[] | .key = "\($way)_\(.key)"] +
			[$driver | split("\n")[] | capture("^ *(?<key>.+): (?<value>[0-9]+)$")? | .value |= tonumber]
			| from_entries else {} end;
		{ tx: ($tx[0] | counters($tx_driver)), rx: ($rx[0] | counters($rx_driver)),
		  arrived: [$sink[0].nftables[]?.rule.expr[]?.counter.packets // empty],
		  reasons: ($stats[0].services.pktgen.reasons // {} | map_values(.packets)),
		  softirq: [$cpus | split("\n")[] | split(" ")[7] | tonumber] | add }' >"$1"
}

# All that is on its way gets there; drivers of hardware bring their counters up to date now and then only.
settle() {
	local was=-1 now=0
	if [ "$verb" != send ]; then
		while ((was != now)); do
			was=$now
			sleep 0.3
			now=$(handled)
		done
	fi
	[ -n "$dev_kind$dut_kind" ] || sleep 2
}

# Waits for somebody else's frames. Sets elapsed (us) and timed: those that came meanwhile.
receive() {
	local began=${EPOCHREALTIME/./} now n first=0 first_n=0 last=0 last_n=0
	while :; do
		sleep 0.2
		now=${EPOCHREALTIME/./}
		n=$(handled)
		if ((n > last_n)); then
			((first)) || { first=$now && first_n=$n; }
			last=$now last_n=$n
		fi
		if ((count && n >= count)) || ((first && now - last > 2000000)); then
			break
		elif ((now - began > seconds * 1000000)); then
			((first)) || die "$dut: no frame in $seconds s (start the sender after this, or raise --seconds)"
			die "$dut: frames still come after $seconds s: moving counters cannot be compared (raise --seconds)"
		fi
	done
	elapsed=$((last - first)) timed=$((last_n - first_n))
	if ((count)); then
		local i
		sent=$count
		for ((i = 0; i < threads; i++)); do expect $((count / threads + (i < count % threads))); done
	fi
}

speed() { # NS DEV: Mbit/s, 0 where unknown
	local mbit
	mbit=$(in_ns "$1" ethtool "$2" 2>/dev/null | sed -n 's/.*Speed: \([0-9]*\)Mb.*/\1/p' || true)
	echo "${mbit:-0}"
}

# --- the report: its last line is the verdict

report() {
	local ns=$dut_ns name=$dut kind=$dut_kind hit=0 text
	[ "$verb" != send ] || ns=$dev_ns name=$dev kind=$dev_kind
	[ "$verb" = send ] || $baseline || hit=$(mangle -j map list | grep -c '"packets":[1-9]' || true)
	text=$(jq -nr --slurpfile before "$tmp/before" --slurpfile after "$tmp/after" \
		--arg verb "$verb" --arg dev "$dev" --arg dut "$dut" --arg kind "$kind" \
		--argjson baseline "$baseline" --argjson timed_out "$timed_out" --argjson speed "$(speed "$ns" "$name")" \
		--argjson threads "$threads" --argjson size "$size" --argjson port "$port" --argjson count "$count" \
		--argjson sent "$sent" --argjson errors "$errors" --argjson low "$low" --argjson high "$high" \
		--argjson elapsed "$elapsed" --argjson timed "$timed" --argjson hit "$hit" \
		--argjson entities "$entities" --argjson max_loss "$max_loss" -f "$here/pktgen.jq")
	echo "$text"
	[[ ${text##*$'\n'} == OK:* ]]
}

# --- the whole

undo=() tmp='' timer='' timed_out=false
sent=null timed=null errors=0 low=0 high=0 elapsed=0
catch_signals() {
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

cleanup() {
	local i status=$?
	trap '' INT TERM HUP
	set +e
	[ -z "$timer" ] || kill "$timer" 2>/dev/null
	for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
		case ${undo[i]} in
		pktgen)
			control stop
			wait # for the writer of "start"
			control reset
			;;
		module) modprobe -qr pktgen ;;
		sink) in_ns "$dut_ns" nft delete table netdev mangle_pktgen ;;
		attached) mangle -q detach "$dut" --purge ;;
		esac
	done
	[ -z "$tmp" ] || rm -rf "$tmp"
	exit "$status"
}

parse "$@"
here=$(dirname "$(readlink -f "$0")")
ctl=${MANGLE_CTL-}
[ -n "$ctl" ] || { ctl=$here/../build/mangle-ctl && [ -x "$ctl" ]; } || ctl=mangle-ctl
trap cleanup EXIT
catch_signals
check_machine
tmp=$(mktemp -d)

if [ "$verb" != send ]; then
	write_entities "$tmp/pktgen.map"
	trap '' INT TERM HUP # that something is made and that we know it must not come apart
	$baseline || attach
	make_sink
	catch_signals
	wait_carrier "$dut_ns" "$dut"
fi
if [ "$verb" != receive ]; then
	wait_carrier "$dev_ns" "$dev"
	setup_pktgen
fi
what="$size-byte frames to $dest"
[ "$verb" = receive ] || what+=", $threads thread(s) on $dev"
if [ "$verb" != send ]; then
	what+=", $dut $($baseline && echo "without mangle" || echo "in $mode mode, tags: $tags")"
fi
echo "$verb: $what"
snapshot "$tmp/before"
if [ "$verb" = receive ]; then
	echo "now, there: pktgen.sh send --dev IF --mac $dut_mac -d $dest" \
		"-s $size -t $threads -b $burst$( ((count == 0)) || echo " -n $count")"
fi
case $verb in
receive) receive ;;
*) send ;;
esac
settle
snapshot "$tmp/after"
report
