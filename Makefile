# mr: a mail relay made of small Unix filters.  GNU make.
#
#	make            programs into build/bin
#	make test       everything a machine needs, then all checks
#	make demo       a gateway on loopback, and what it does with some messages
#	make san        the same tests under ASan and UBSan
#	make STATIC=1   into build-static, with the libraries that each message needs linked in
#	make fuzz       each fuzz target for FUZZ_S seconds
#	make install    PREFIX, DESTDIR

VERSION = 0.1
PREFIX ?= /usr/local
B      ?= build$(if $(STATIC),-static)

# The one list of Debian packages: to build, to build with STATIC=1, and to test.
PKGS_BUILD = gcc make pkg-config libcdb-dev zlib1g-dev libldns-dev libpsl-dev libspf2-dev libidn2-dev \
	liblmdb-dev libhiredis-dev libssl-dev libmagic-dev libarchive-dev libopendkim-dev file
PKGS_STATIC = libdb5.3-dev libbsd-dev libmd-dev libunistring-dev
PKGS_TEST  = $(PKGS_STATIC) clang libclang-rt-14-dev clang-format mandoc strace perl python3 procps git util-linux iproute2 \
	python3-yaml python3-spf python3-srs python3-authres python3-dkim python3-nacl libmail-dmarc-perl opendkim \
	opendkim-tools spamassassin spamc spamd postsrsd openssl publicsuffix nsd unbound rbldnsd redis-server swaks \
	postfix ucspi-tcp openbsd-inetd mailfront systemd s6 runit daemontools ripmime procmail python3-dnspython bsdutils

# What the bench sets beside mr; without them it leaves columns out.
PKGS_BENCH = postgrey postfix-policyd-spf-python opendkim rspamd redis-server gnuplot-nox

CC      ?= gcc
WARN     = -std=c17 -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef $(if $(CI),-Werror)
HARDEN   = -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection \
	-fPIE
CFLAGS  ?= -O2 -g
OPTS     = $(WARN) $(HARDEN) -D_GNU_SOURCE -DMR_VERSION='"$(VERSION)"' -Ilib -MMD -MP
LDFLAGS ?=
LINK     = -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LIBS     = -lcdb -lz -llmdb

# What the linker would write down for -lNAME; for libraries that are loaded at first need: base/lazy.h.
soname   = '-DMR_SONAME="$(shell readelf -d "$$($(CC) -print-file-name=lib$(1).so)" 2>/dev/null | \
	sed -n 's/.*SONAME.*\[\(.*\)\].*/\1/p')"'
# Those that nearly each message needs: STATIC=1 links them in.
owned    = $(if $(STATIC),-DMR_STATIC,$(call soname,$(1)))
ifdef STATIC
LIBS     = -Wl,-Bstatic -lopendkim -lspf2 -lldns -lssl -lcrypto -lpsl -lidn2 -lunistring -ldb -lbsd -lmd \
	-lcdb -lz -llmdb -lresolv -Wl,-Bdynamic
endif
# make V=1 shows the whole commands.
Q        = $(if $(V),,@)
say      = $(if $(V),@:,@echo)

# make san and make cover call make again with these.
ifdef SAN
HARDEN   = -fPIE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LINK    += -fsanitize=address,undefined
CFLAGS   = -O1 -g
endif
ifdef COVER
HARDEN   = -fPIE --coverage
LINK    += --coverage
CFLAGS   = -O0 -g
endif

LIB_OBJ  = $(patsubst %.c,$(B)/%.o,$(wildcard lib/*/*.c))
PROGS    = $(patsubst cmd/%.c,$(B)/bin/%,$(wildcard cmd/mr-*.c))
UNIT     = $(patsubst test/unit/%.c,$(B)/unit/%,$(wildcard test/unit/*.c))
FUZZ     = $(patsubst test/fuzz/%.c,%,$(filter-out test/fuzz/replay.c,$(wildcard test/fuzz/*.c)))
REPLAY   = $(FUZZ:%=$(B)/replay/%)
ASK      = $(B)/bench/dns
FUZZ_S  ?= 60
PROVE    = MR_BUILD=$(abspath $(B)) prove --timer

.PHONY: all check lint unit e2e test peer san fuzz cover bench bench-static bench-deps demo deps format install dist clean
.SECONDARY:
.DELETE_ON_ERROR:

all: $(PROGS)

$(B)/lib/base/crypto.o:     OPTS += $(call owned,crypto)
$(B)/lib/check/spf_match.o: OPTS += $(call owned,spf2)
$(B)/lib/dns/dns_wire.o:    OPTS += $(call owned,ldns)
$(B)/lib/store/store_redis.o: OPTS += $(call soname,hiredis)
$(B)/lib/dns/orgdomain.o:   OPTS += $(call owned,psl)
$(B)/lib/smtp/tls.o:        OPTS += $(call owned,ssl)
$(B)/lib/mail/idn.o:        OPTS += $(call owned,idn2)
$(B)/lib/check/archive.o:   OPTS += $(call soname,archive)
$(B)/lib/check/opendkim.o:  OPTS += $(call owned,opendkim)
$(B)/lib/check/magic.o:     OPTS += $(call soname,magic) '-DMR_MAGIC_DB="$(B)/lib/check/filetype.magic.mgc"'
$(B)/lib/check/magic.o:     $(B)/lib/check/filetype.magic.mgc

# file writes where it stands.
$(B)/%.magic.mgc: %.magic
	@mkdir -p $(@D)
	$(say) FILE $<
	$(Q)cd $(@D) && file -C -m $(abspath $<) >/dev/null

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(OPTS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/libmr.a: $(LIB_OBJ)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(B)/bin/%: $(B)/cmd/%.o $(B)/libmr.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) -o $@ $< $(B)/libmr.a $(LIBS)

$(B)/bin/mr-pipe: | $(B)/bin/mr-qmail-queue
$(B)/bin/mr-qmail-queue:
	@mkdir -p $(@D)
	ln -sf mr-pipe $@

$(B)/unit/%: $(B)/test/unit/%.o $(B)/libmr.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) -o $@ $< $(B)/libmr.a $(LIBS)

$(B)/replay/%: $(B)/test/fuzz/%.o $(B)/test/fuzz/replay.o $(B)/libmr.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) -o $@ $^ $(LIBS)

# A filter that is not in the tree: make EXAMPLE=mr-NAME.c build/example/mr-NAME
$(B)/example/%: $(EXAMPLE) $(B)/libmr.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(OPTS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LINK) -o $@ $< $(B)/libmr.a $(LIBS)

# ---- checks ------------------------------------------------------------------------------------

lint: $(PROGS) $(B)/libmr.a
	$(PROVE) test/lint/*.t

unit: $(UNIT) $(REPLAY)
	$(PROVE) $(UNIT) test/fuzz/seeds.t

e2e: $(PROGS) $(ASK)
	$(PROVE) -j2 test/e2e/*.t

# One prove, so that the last lines count everything.
check: $(PROGS) $(UNIT) $(REPLAY) $(ASK)
	$(PROVE) -j2 test/lint/*.t $(UNIT) test/fuzz/seeds.t test/e2e/*.t $(wildcard test/peer/*.t)

peer: $(PROGS)
	$(PROVE) test/peer/*.t

test: deps
	$(MAKE) check

san:
	$(MAKE) SAN=1 B=$(B)-san check

cover:
	$(MAKE) COVER=1 B=$(B)-cover check
	@gcov -n $$(find $(B)-cover/lib -name '*.gcda') 2>/dev/null | \
		awk '/^File .lib\/.*\.c.$$/ {f=$$2} /^Lines/ && f {split($$2,a,":"); printf "%-34s %s of %s\n", f, a[2], $$4; f=""}'

# libFuzzer, from clang.  New inputs of interest stay in build-fuzz/corpus.
fuzz:
	$(MAKE) CC=clang B=$(B)-fuzz HARDEN='-fPIE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' \
		CFLAGS='-O1 -g' $(B)-fuzz/libmr.a $(FUZZ:%=$(B)-fuzz/test/fuzz/%.o)
	@for t in $(FUZZ); do \
		mkdir -p $(B)-fuzz/corpus/$$t && \
		clang -fsanitize=fuzzer,address,undefined -o $(B)-fuzz/$$t $(B)-fuzz/test/fuzz/$$t.o \
			$(B)-fuzz/libmr.a $(LIBS) && \
		echo "== $$t" && $(B)-fuzz/$$t -max_total_time=$(FUZZ_S) -timeout=10 -print_final_stats=0 \
			-artifact_prefix=$(B)-fuzz/$$t- -verbosity=0 $(B)-fuzz/corpus/$$t test/fuzz/seed/$$t || exit 1; done

$(B)/bench/%: $(B)/test/bench/%.o $(B)/libmr.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) -o $@ $< $(B)/libmr.a $(LIBS)

bench-static:
	$(MAKE) STATIC=1 B=$(B)-static all

bench: all bench-static $(B)/bench/load $(B)/bench/store $(B)/bench/greylist $(B)/bench/spf $(B)/bench/rcpt $(B)/bench/data $(ASK)
	MR_BUILD=$(abspath $(B)) test/bench/run
	MR_BUILD=$(abspath $(B)) test/bench/dns-run
	MR_BUILD=$(abspath $(B)) test/bench/store-run
	$(B)/bench/spf
	MR_BUILD=$(abspath $(B)) test/bench/mime-run
	MR_BUILD=$(abspath $(B)) test/bench/dkim-run
	MR_BUILD=$(abspath $(B)) test/bench/dkim-verify-run

demo: deps
	@$(MAKE) --no-print-directory -s all
	@KEEP='$(KEEP)' MR_BUILD=$(abspath $(B)) examples/demo/run

format:
	clang-format -i $$(git ls-files -co --exclude-standard '*.c' '*.h')

# ---- what a fresh Debian 12 lacks -----------------------------------------------------------------

bench-deps: PKGS_TEST += $(PKGS_BENCH)
deps bench-deps:
	@command -v dpkg-query >/dev/null || { echo "deps: not a Debian system; needed: $(PKGS_BUILD) $(PKGS_TEST)"; exit 0; }; \
	need=; for p in $(PKGS_BUILD) $(PKGS_TEST); do \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q '^install ok installed' || need="$$need $$p"; done; \
	[ -z "$$need" ] && exit 0; \
	echo "deps: installing$$need"; \
	as=; [ "$$(id -u)" = 0 ] || as=sudo; \
	echo 'postfix postfix/main_mailer_type select No configuration' | $$as debconf-set-selections; \
	$$as apt-get -qq update && $$as env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq install -y --no-install-recommends $$need >/dev/null

# ---- install, dist ----------------------------------------------------------------------------------

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/mr
	install -m 755 $(PROGS) $(DESTDIR)$(PREFIX)/bin
	[ ! -e $(B)/bin/mr-pipe ] || ln -sf mr-pipe $(DESTDIR)$(PREFIX)/bin/mr-qmail-queue
	for p in man/*.[1-8]; do d=$(DESTDIR)$(PREFIX)/share/man/man$${p##*.}; install -d $$d; install -m 644 $$p $$d; done
	cp -R README.md LICENSE examples $(DESTDIR)$(PREFIX)/share/doc/mr

dist:
	git archive --prefix=mr-$(VERSION)/ -o mr-$(VERSION).tar.gz HEAD

clean:
	rm -rf $(B) $(B)-san $(B)-fuzz $(B)-cover

-include $(shell find $(B) -name '*.d' 2>/dev/null)
