# postfix.sh - a private Postfix for tests, on loopback; source it behind lib.sh, which it leaves with `skip_all` where
# there can be none.  The test is in $T_DIR then; $port is the server's, bin/ has the programs that it may run.

for program in postfix postconf swaks; do
	command -v $program >/dev/null || skip_all "no $program"
done
[ "$(id -u)" = 0 ] || skip_all 'postfix starts as root only'
id postfix >/dev/null 2>&1 || skip_all 'no user postfix'
cd "$T_DIR" || exit 1
chmod 755 .
port=$(free_port)
mkdir etc queue data bin
chown postfix data

# take PROGRAM...: copies, where the user of spawn(8) may read them
take() {
	for program; do cp "$MR_BUILD/bin/$program" bin/ || exit 1; done
}

# start_postfix FIELD MAIN MASTER: logs the header fields FIELD, with these lines more in its files
start_postfix() {
	daemons=$(postconf -c . -dh daemon_directory 2>/dev/null || echo /usr/lib/postfix/sbin)
	echo "/^$1:/ INFO" >etc/header_checks
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
		$2
	EOT
	cat >etc/master.cf <<-EOT
		$3
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
	trap end_postfix EXIT
	postfix -c "$T_DIR/etc" start >start.log 2>&1 || {
		sed 's/^/# /' start.log postfix.log 2>/dev/null
		skip_all 'postfix does not start'
	}
	wait_port "$port" || {
		sed 's/^/# /' start.log postfix.log
		skip_all 'postfix does not listen'
	}
}
end_postfix() {
	postfix -c "$T_DIR/etc" stop >/dev/null 2>&1
	t_end
}
