#!/bin/sh
# mr-dnscheck --connect: what an exchange answers over SMTP, and its certificate (test/smtps); names are out of a file.
. "$(dirname "$0")/../lib.sh"
command -v openssl >/dev/null || skip_all "no openssl"
cd "$T_DIR" || exit 1

# A key of our own authority, and a certificate by it for mx.d.test.
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=authority \
		-keyout ca.key -out ca.pem
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=mx -keyout mx.key -out mx.csr
	printf 'subjectAltName=DNS:%s\n' mx.d.test >ext
	openssl x509 -req -in mx.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out mx.pem
} >openssl.log 2>&1 || {
	sed 's/^/# /' openssl.log
	exit 1
}
cat mx.key mx.pem ca.pem >server.pem
spki() { openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst "-$2" -hex | sed 's/.*= //'; }
full() { openssl x509 -in "$1" -outform der | openssl dgst "-$2" -hex | sed 's/.*= //'; }
hex() { openssl x509 -in "$1" -outform der | od -An -v -tx1 | tr -d ' \n'; }

# server NAME OPTION...: an exchange; its port in $port
server() {
	name=$1
	shift
	start "$name.log" "$T_ROOT/test/smtps" --port-file "$name.port" "$@"
	wait_for 60 test -s "$name.port" || exit 1
	port=$(cat "$name.port")
}

# look [TLSA]: the findings of --connect on d.test
look() {
	printf '%s\n' 'd.test MX 10 mx.d.test' 'mx.d.test A 127.0.0.1' "${1:+_25._tcp.mx.d.test TLSA $1}" >zone
	SSL_CERT_FILE=$T_DIR/${CA:-ca.pem} mr-dnscheck --server file:zone --connect --port "$port" d.test >out 2>err
	grep connect- out | tr -s ' '
}

server good --cert server.pem
look >got
is "all in order" "$(cut -d ' ' -f 1,2 got | tr '\n' ';')" \
	"ok connect-banner;ok connect-ehlo;ok connect-postmaster;ok connect-relay;ok connect-starttls;ok connect-cert;"
like "the greeting" "$(cat got)" 'connect-banner mx.d.test \[127.0.0.1\]: 220 mx.test ESMTP'
like "a version of TLS" "$(cat got)" 'STARTTLS: TLSv1.[23]$'
for tlsa in "3 1 1 $(spki mx.pem sha256)" "3 1 2 $(spki mx.pem sha512)" "3 0 1 $(full mx.pem sha256)" "3 0 0 $(hex mx.pem)" \
	"2 1 1 $(spki ca.pem sha256)" "2 0 1 $(full ca.pem sha256)"; do
	look "$tlsa" >got
	like "TLSA ${tlsa%% [0-9a-f][0-9a-f][0-9a-f]*} names it" "$(cat got)" '^ok connect-tlsa'
done
look "3 1 1 $(spki ca.pem sha256)" >got
like "a TLSA record of another key" "$(cat got)" '^fail -1.0 connect-tlsa .*cannot deliver'
look "3 1 1 00" >got
like "one that is cut" "$(cat got)" '^fail -1.0 connect-tlsa'
look "1 1 1 $(spki mx.pem sha256)" >got
is "usage 1 is not for mail" "$(grep -c tlsa got)" 0
CA=mx.pem look >got
like "an authority that nobody knows" "$(cat got)" '^warn -0.25 connect-cert .*certificate: '

printf 'subjectAltName=DNS:other.test\n' >ext
openssl x509 -req -in mx.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out other.pem 2>/dev/null
cat mx.key other.pem ca.pem >other
server other --cert other
look >got
like "a certificate for another name" "$(cat got)" '^warn -0.25 connect-cert .*another name than mx.d.test'

# case NAME LOOK RULE...: one thing is wrong
case_is() {
	label=$1 want=$2
	shift 2
	server "case" --cert server.pem "$@"
	look >got
	like "$label" "$(cat got)" "$want"
	stop "$T_PID"
	rm -f case.port
}
case_is "an open relay" '^fail -3.0 connect-relay .*relays for this host to anywhere: 250' 'relay=250 ok'
case_is "bounces are refused" '^fail -1.0 connect-postmaster .*550 no bounces' 'mail=550 no bounces'
case_is "postmaster is refused" '^fail -1.0 connect-postmaster .*550 5.1.1' 'rcpt=550 5.1.1 who'
case_is "a greylist is none of it" '^info connect-postmaster .*450' 'rcpt=450 4.7.1 later'
case_is "TLS first, please" '^info connect-postmaster .*530' 'mail=530 5.7.0 STARTTLS first'
case_is "a greeting of 554" '^fail -3.0 connect-banner .*554 go away' 'connect=554 go away'
case_is "a greeting of 421" '^warn -0.5 connect-banner .*421' 'connect=421 busy'
case_is "no greeting" '^error -3.0 connect-banner' connect=close
case_is "EHLO is refused" '^fail -1.0 connect-ehlo .*502' 'ehlo=502 what'
case_is "nonsense" '^error -1.0 connect-ehlo' 'ehlo=hello'
case_is "no TLS behind STARTTLS" '^fail -1.0 connect-starttls .*TLS: ' tls=hello
case_is "STARTTLS is refused" '^fail -1.0 connect-starttls .*454' 'starttls=454 no key'
case_is "STARTTLS that is none" '^fail -1.0 connect-starttls .*TLS: ' 'starttls=220 go\n220 really?'
server plain
look >got
like "no STARTTLS" "$(cat got)" '^warn -0.5 connect-starttls .*in clear'
port=$(free_port)
look >got
like "nobody there" "$(cat got)" '^error -3.0 connect-banner .*refused'
is "is no failure" "$(grep -c '^fail.*connect' out)" 0
exits "exit 111: no port" 111 mr-dnscheck --port 0 d.test
printf 'n.test MX 0 .\n' >zone
is "a domain without mail is not connected to" "$(mr-dnscheck --server file:zone --connect n.test | grep -c connect-)" 0
done_testing
