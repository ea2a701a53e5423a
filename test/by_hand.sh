#!/bin/sh
# by_hand.sh [-D resolver] [-N name] [-R routes] SPEC RECORD <message: what mr-pipe does, by the shell: each filter of the spec is
# run as its page says, and what they say is joined as mr-pipeline(5) says.  Prints the answer, and exits with its code.
# Knows what a spec of ours needs: codes=mr, fail=, class=, unless=, only=, edit.
set -fu
resolver='' our_name=mx.example routes=''
while getopts D:N:R: letter; do
	case $letter in
	D) resolver=$OPTARG ;;
	N) our_name=$OPTARG ;;
	R) routes=$OPTARG ;;
	*) exit 111 ;;
	esac
done
shift $((OPTIND - 1))
spec=$1
cr=$(printf '\r')
t=$(mktemp -d "${TMPDIR:-/tmp}/by-hand.XXXXXX") || exit 111
trap 'rm -rf "$t"' EXIT
cat >"$t/mail"
# Whoever takes a message in takes none with a CR by itself.
! sed "s/$cr\$//" "$t/mail" | grep -aq "$cr" || exit 111
: >"$t/ar"
: >"$t/fields"
: >"$t/rcpts"
grep -v -e '^recipient=' -e '^$' "$2" >"$t/known" # what is known of connection and transaction
: >"$t/known.rcpt"
: >"$t/known.data"
worst=0 text='' nl='
'
in_connect='' in_mail='' in_rcpt='' of_all='' has_rcpt=
grep -q '^sasl_username=.' "$2" && in_connect=' auth '
grep -qx 'sender=' "$2" && in_mail=' bounce '

# One stage a line: continuations joined, comments and empty lines left out.
sed -e 's/[[:blank:]]#.*//' -e '/^#/d' -e '/^[[:blank:]]*$/d' "$spec" |
	sed -e ':a' -e '$!N' -e 's/\n[[:blank:]]\{1,\}/ /' -e 'ta' -e 'P' -e 'D' >"$t/stages"

# classes PHASE: those that hold in it
classes() {
	case $1 in
	connect) echo "$in_connect" ;;
	helo | mail) echo "$in_connect $in_mail" ;;
	rcpt) echo "$in_connect $in_mail $in_rcpt" ;;
	*) echo "$in_connect $in_mail $of_all" ;;
	esac
}
# holds A+B: any of them is in $now
holds() {
	IFS=+
	for class in $1; do
		case "$now" in
		*" $class "*) unset IFS; return 0 ;;
		esac
	done
	unset IFS
	return 1
}
# record PHASE: what the stage is told
record() {
	case $1 in
	connect) state=CONNECT ;;
	helo) state=EHLO ;;
	mail) state=MAIL ;;
	rcpt) state=RCPT ;;
	data) state=END-OF-MESSAGE ;;
	*) state=END ;;
	esac
	echo request=smtpd_access_policy
	echo "protocol_state=$state"
	cat "$t/known"
	# shellcheck disable=SC2086
	joined=$(set -- $now; IFS=+; echo "$*")
	[ -z "$joined" ] || echo "class=$joined"
	case $1 in
	rcpt) cat "$t/known.rcpt" "$t/now" ;;
	data | end) cat "$t/known.data" "$t/rcpts" ;;
	esac
	echo
}
# answer: what the stage said, in $t/out
answer() {
	action='' part=attributes
	while IFS= read -r line || [ -n "$line" ]; do
		line=${line%"$cr"}
		case $part$line in
		attributes) part=fields ;;
		attributesaction=*) action=${line#action=} ;;
		attributesar=*) printf '%s\n' "${line#ar=}" >>"$ar" ;;
		attributes*) printf '%s\n' "$line" >>"$known" ;;
		fields*) printf '%s\n' "$line" >>"$fields" ;;
		esac
	done <"$t/out"
}
# stage PHASE OPTIONS COMMAND...: true unless it refuses; then $code and $action
stage() {
	phase=$1 options=$2
	shift 2
	unless='' only='' gives=permitted fail=defer is_edit=
	IFS=,
	for option in $options; do
		case $option in
		unless=*) unless=${option#*=} ;;
		only=*) only=${option#*=} ;;
		class=*) gives=${option#*=} ;;
		fail=*) fail=${option#*=} ;;
		edit) is_edit=yes ;;
		esac
	done
	unset IFS
	now=$(classes "$phase")
	now=" $now "
	! holds "$unless" || return 0
	[ -z "$only" ] || holds "$only" || return 0
	case $phase in
	rcpt) ar=$t/ar.rcpt fields=$t/fields.rcpt known=$t/known.rcpt ;;
	data | end) ar=$t/ar fields=$t/fields known=$t/known.data ;;
	*) ar=$t/ar fields=$t/fields known=$t/known ;;
	esac
	record "$phase" >"$t/record"
	command=$1
	shift
	case $command in
	mr-dnsbl | mr-spf | mr-helo | mr-greylist | mr-dkimverify | mr-dmarc)
		set -- -N "$our_name" "$@"
		[ -z "$resolver" ] || set -- -D "$resolver" "$@"
		;;
	esac
	case $phase$command in
	datamr-dkimverify | datamr-dmarc | datamr-mimecheck | datamr-dkimsign)
		"$command" -H -E 3 "$@" <"$t/mail" 3<"$t/record" >"$t/out" ;;
	*mr-*) "$command" "$@" <"$t/record" >"$t/out" ;;
	data*) "$command" "$@" <"$t/mail" 3<"$t/record" >"$t/out" ;;
	*) "$command" "$@" <"$t/record" >"$t/out" ;;
	esac
	code=$?
	case $code in
	0)
		if [ -z "$is_edit" ]; then
			answer
		elif [ "$phase" = rcpt ]; then
			grep '^recipient=' "$t/out" >"$t/now"
		else
			cp "$t/out" "$t/mail"
		fi
		return 0
		;;
	99)
		answer
		case $phase in
		connect) in_connect="$in_connect $gives " ;;
		helo | mail) in_mail="$in_mail $gives " ;;
		rcpt) in_rcpt="$in_rcpt $gives " ;;
		*) of_all="$of_all $gives " ;;
		esac
		return 0
		;;
	100 | 111) answer ;;
	*)
		[ "$fail" = defer ] || return 0
		code=111 action='DEFER 4.3.0 Temporary problem of this host'
		;;
	esac
	return 1
}
# phase NAME: all its stages, until one refuses
phase() {
	while read -r of _ options command; do
		# shellcheck disable=SC2086
		[ "$of" != "$1" ] || stage "$of" "$options" $command || [ "$1" = end ] || return 1
	done <"$t/stages"
}
# strictest: keeps what was said, if nothing stricter was
strictest() {
	[ "$worst" = 100 ] || [ "$worst" = "$code" ] || worst=$code text=$action
}
# relay RECIPIENT: what mr-smtpd asks the routes
relay() {
	[ -n "$routes" ] || return 0
	if mr-table -q "${1##*@}" -k routes "$routes" >"$t/route" && ! grep -q '^\*' "$t/route"; then
		in_rcpt=' local '
		return 0
	fi
	now=" $in_connect "
	holds trusted+auth && return 0
	code=100 action='REJECT 5.7.1 Relaying denied'
	return 1
}

recipients=$(sed -n 's/^recipient=//p' "$2")
upto='connect helo mail'
is_let=yes
one_phase() { phase "$1" || { strictest; is_let=; return 1; }; }
if [ -n "$recipients" ] && [ -n "$routes" ]; then upto=connect; fi
for p in $upto; do [ -z "$is_let" ] || one_phase "$p"; done
if [ -n "$is_let" ]; then
	for rcpt in $recipients; do
		in_rcpt=''
		echo "recipient=$rcpt" >"$t/now"
		for f in ar fields known; do : >"$t/$f.rcpt"; done
		relay "$rcpt" || { strictest; continue; }
		for p in helo mail; do
			[ "$upto" != connect ] || [ -z "$is_let" ] || one_phase $p
		done
		[ -n "$is_let" ] || break
		upto='connect helo mail'
		phase rcpt || { strictest; continue; }
		cat "$t/now" >>"$t/rcpts"
		cat "$t/ar.rcpt" >>"$t/ar"
		cat "$t/fields.rcpt" >>"$t/fields"
		[ -n "$has_rcpt" ] || of_all=$in_rcpt
		has_rcpt=yes
	done
fi
if [ -s "$t/mail" ] && { [ -s "$t/rcpts" ] || [ "$worst" = 0 ]; }; then
	phase data || strictest
fi
printf 'action=%s\n\n' "${text:-DUNNO}"
if [ -s "$t/ar" ]; then
	printf 'Authentication-Results: %s' "$our_name"
	while IFS= read -r line; do printf ';%s	%s' "$nl" "$line"; done <"$t/ar"
	echo
fi
cat "$t/fields"
[ "$worst" != 0 ] || phase end
exit $worst
