# SPDX-License-Identifier: GPL-2.0-only
# fish completion for mangle-ctl: mangle-ctl itself knows what fits, see ctl/cli/complete.c.

function __mangle_ctl_complete
	set -l words (commandline -opc)
	set -l word (commandline -ct)
	set -l ctl $words[1]
	type -q -- $ctl; or set ctl /usr/sbin/mangle-ctl
	type -q -- $ctl; or return
	set -l candidates ($ctl --complete $words[2..-1] "$word" 2>/dev/null)
	if test "$candidates" = :files
		set -l option (string match -r '^--[^=]*=' -- "$word")
		__fish_complete_path (string replace -- "$option" '' "$word") | string replace -r '^' -- "$option"
	else
		printf '%s\n' $candidates
	end
end

complete -c mangle-ctl -f -a '(__mangle_ctl_complete)'
