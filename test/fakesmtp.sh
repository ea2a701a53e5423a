# fakesmtp.sh - a scripted SMTP server for tests in sh; source it behind lib.sh.
# $D is its folder (see test/fakesmtp), $PORT its port on $HOST; $H matches it in a result.

D=$T_DIR/d
HOST=127.0.0.1
SERVES=
SERVED=0

# serve [RULE...]: the server starts anew with these rules
serve() {
	rm -rf "$D"
	mkdir "$D"
	SERVED=$((SERVED + 1))
	printf '%s\n' "# script $SERVED" "$@" >"$T_DIR/script"
	[ "$HOST" != "$SERVES" ] || return 0
	rm -f "$T_DIR/port"
	start "$T_DIR/fakesmtp.log" "$T_ROOT/test/fakesmtp" --dir "$D" --host "$HOST" \
		--port-file "$T_DIR/port" --script "$T_DIR/script"
	wait_for 60 test -s "$T_DIR/port" || exit 1
	PORT=$(cat "$T_DIR/port")
	SERVES=$HOST
	H="127.0.0.1\[127.0.0.1\]:$PORT"
}
