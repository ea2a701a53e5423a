#!/bin/sh
# Beside a real Postfix: mr-pipe -l and mr-access -l as its policy services, started by its spawn(8).
. "$(dirname "$0")/../lib.sh"
. "$T_ROOT/test/postfix.sh"
take mr-pipe mr-access

cat >access <<-'EOT'
	permit friend@example.org
	forbid foe@example.org
EOT
cat >bin/by_rcpt <<-'EOT'
	#!/bin/sh
	exec sed -n 's/^recipient=\(.*\)@.*/\1/p' | {
	    read -r who
	    case $who in
	    no) echo 'action=REJECT 5.7.1 Not here'; exit 100 ;;
	    later) echo 'action=DEFER 4.7.1 Come again'; exit 111 ;;
	    broken) kill -9 $$ ;;
	    *) printf 'ar=x=pass\n\n'; exit 0 ;;
	    esac
	}
EOT
echo '#!/bin/sh
echo "$1" >>'"$T_DIR/counted" >bin/count
chmod 755 bin/*
: >counted
chmod 666 counted
cat >spec <<-EOT
	mail  access  -                 $T_DIR/bin/mr-access $T_DIR/access
	mail  once    -                 $T_DIR/bin/count mail
	rcpt  each    -                 $T_DIR/bin/count rcpt
	rcpt  who     unless=permitted  $T_DIR/bin/by_rcpt
EOT

access_port=$(free_port)
start_postfix Authentication-Results "smtpd_recipient_restrictions = reject_unauth_destination
mr_time_limit = 3600" \
	"127.0.0.1:$port inet n - n - - smtpd
  -o { smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service unix:private/mr }
  -o { smtpd_data_restrictions = check_policy_service unix:private/mr }
127.0.0.1:$access_port inet n - n - - smtpd
  -o { smtpd_sender_restrictions = check_policy_service unix:private/access }
mr unix - n n - 0 spawn user=nobody argv=$T_DIR/bin/mr-pipe -l -N mx.example $T_DIR/spec
access unix - n n - 0 spawn user=nobody argv=$T_DIR/bin/mr-access -l $T_DIR/access"

# mail PORT SENDER RECIPIENT...: swaks' transcript
mail() {
	to=$1 from=$2
	shift 2
	swaks --server 127.0.0.1 --port "$to" --helo h.example --from "$from" \
		--to "$(echo "$*" | tr ' ' ,)" --body body 2>&1
}
got=$(mail "$port" a@example.org one@ours.example)
like 'accepted' "$got" '^<-  250 2\.0\.0 Ok: queued as'
got=$(mail "$port" a@example.org no@ours.example)
like 'refused, with the words of the stage' "$got" '^<\*\* 554 5\.7\.1 <no@ours\.example>: Recipient address rejected: Not here'
got=$(mail "$port" a@example.org later@ours.example)
like 'deferred' "$got" '^<\*\* 450 4\.7\.1 <later@ours\.example>: Recipient address rejected: Come again'
got=$(mail "$port" a@example.org broken@ours.example)
like 'a broken stage defers' "$got" '^<\*\* 45[01] 4\.3\.0 <broken@ours\.example>: .*Temporary problem of this host'
got=$(mail "$port" friend@example.org no@ours.example)
like 'a permit skips unless=permitted' "$got" '^<-  250 2\.0\.0 Ok: queued as'
got=$(mail "$port" foe@example.org one@ours.example)
like 'a forbidden sender' "$got" '^<\*\* 554 5\.7\.1 .*Sender is forbidden here'

: >counted
got=$(mail "$port" a@example.org one@ours.example no@ours.example three@ours.example)
like 'one of three recipients is refused' "$got" '^<-  250 2\.0\.0 Ok: queued as'
is 'once a transaction, once a recipient, nothing again at DATA' "$(sort counted | uniq -c | tr -s ' ')" \
	' 1 mail
 3 rcpt'
ok 'Postfix puts the field in front' wait_for 60 \
	grep -q 'info: header Authentication-Results: mx.example;.*x=pass from' postfix.log
ok 'and delivered' wait_for 60 sh -c '[ $(grep -c "status=sent" postfix.log) -ge 4 ]'

got=$(mail "$access_port" foe@example.org one@ours.example)
like 'mr-access -l: forbidden' "$got" '^<\*\* 554 5\.7\.1 .*Sender is forbidden here'
got=$(mail "$access_port" friend@example.org one@ours.example)
like 'mr-access -l: permitted' "$got" '^<-  250 2\.0\.0 Ok: queued as'
ok 'Postfix has no complaint about us' sh -c '! grep -E "warning|fatal|panic" postfix.log'
done_testing
