#!/bin/sh
# Beside a real Postfix: mr-spf -l as its policy service.
. "$(dirname "$0")/../lib.sh"
for program in postfix postconf swaks; do
	command -v $program >/dev/null || skip_all "no $program"
done
[ "$(id -u)" = 0 ] || skip_all 'postfix starts as root only'
id postfix >/dev/null 2>&1 || skip_all 'no user postfix'
cd "$T_DIR" || exit 1
chmod 755 .
port=$(free_port)
daemons=$(postconf -c . -dh daemon_directory 2>/dev/null || echo /usr/lib/postfix/sbin)
mkdir etc queue data bin
chown postfix data
# Where nobody may read it.
cp "$MR_BUILD/bin/mr-spf" bin/ || exit 1
cat >zone <<-'EOT'
	good.example TXT "v=spf1 ip4:127.0.0.1 -all"
	bad.example TXT "v=spf1 ip4:192.0.2.1 -all exp=why.example"
	why.example TXT "%{c} is none of ours"
	away.example ! servfail
EOT
chmod 644 zone
cat >etc/main.cf <<-EOT
	compatibility_level = 3.6
	queue_directory = $T_DIR/queue
	data_directory = $T_DIR/data
	daemon_directory = $daemons
	mail_owner = postfix
	setgid_group = postdrop
	myhostname = mx.example
	mydestination =
	relay_domains = ours.example
	relay_transport = discard:
	local_recipient_maps =
	relay_recipient_maps =
	alias_maps =
	alias_database =
	inet_interfaces = 127.0.0.1
	inet_protocols = ipv4
	mynetworks =
	maillog_file = $T_DIR/postfix.log
	maillog_file_prefixes = /
	smtpd_peername_lookup = no
	header_checks = regexp:$T_DIR/etc/header_checks
	smtpd_relay_restrictions = reject_unauth_destination
	smtpd_recipient_restrictions = reject_unauth_destination,
	  check_policy_service unix:private/spf
	spf_time_limit = 3600
EOT
echo '/^Received-SPF:/ INFO' >etc/header_checks
cat >etc/master.cf <<-EOT
	127.0.0.1:$port inet n - n - - smtpd
	spf     unix - n n - 0 spawn user=nobody argv=$T_DIR/bin/mr-spf -l -N mx.example -D file:$T_DIR/zone
	cleanup unix n - n - 0 cleanup
	qmgr    unix n - n 300 1 qmgr
	rewrite unix - - n - - trivial-rewrite
	bounce  unix - - n - 0 bounce
	defer   unix - - n - 0 bounce
	trace   unix - - n - 0 bounce
	discard unix - - n - - discard
	error   unix - - n - - error
	anvil   unix - - n - 1 anvil
	postlog unix-dgram n - n - 1 postlogd
EOT

end_postfix() {
	postfix -c "$T_DIR/etc" stop >/dev/null 2>&1
	t_end
}
trap end_postfix EXIT
postfix -c "$T_DIR/etc" start >start.log 2>&1 || {
	sed 's/^/# /' start.log postfix.log 2>/dev/null
	skip_all 'postfix does not start'
}
wait_port "$port" || {
	sed 's/^/# /' start.log postfix.log
	skip_all 'postfix does not listen'
}

# mail SENDER RECIPIENT: swaks' transcript
mail() {
	swaks --server 127.0.0.1 --port "$port" --helo h.example --from "$1" --to "$2" --body body 2>&1
}
like 'pass' "$(mail a@good.example one@ours.example,two@ours.example,three@ours.example)" \
	'^<-  250 2\.0\.0 Ok: queued as'
like 'fail, with the domain'\''s words' "$(mail a@bad.example one@ours.example)" \
	'^<\*\* 554 5\.7\.23 <one@ours\.example>: Recipient address rejected: SPF fail: 127\.0\.0\.1 may not send mail for bad\.example; the domain bad\.example explains: 127\.0\.0\.1 is none of ours'
like 'temperror' "$(mail a@away.example one@ours.example)" \
	'^<\*\* 450 4\.7\.24 <one@ours\.example>: Recipient address rejected: SPF temperror: TXT of away\.example: server failure'
like 'none' "$(mail a@none.example one@ours.example)" '^<-  250 2\.0\.0 Ok: queued as'
like 'the null sender' "$(mail '<>' one@ours.example)" '^<-  250 2\.0\.0 Ok: queued as'
ok 'delivered' wait_for 60 sh -c '[ $(grep -c "status=sent" postfix.log) -ge 5 ]'
is 'one Received-SPF a message, also with three recipients' \
	"$(sed -n 's/.* info: header Received-SPF: \([a-z]*\).*identity=\([a-z]*\);.*/\1 \2/p' postfix.log)" \
	'pass mailfrom
none mailfrom
none helo'
like 'and what it says' "$(cat postfix.log)" \
	'header Received-SPF: pass.client-ip=127\.0\.0\.1;.envelope-from="a@good\.example";.helo=h\.example;.identity=mailfrom;.receiver=mx\.example;.mechanism=ip4:127\.0\.0\.1 from '
ok 'Postfix has no complaint about us' sh -c '! grep -E "warning|fatal|panic" postfix.log'
done_testing
