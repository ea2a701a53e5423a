/* greylist_key.c - check/greylist_key: what two attempts have in common, and which names are a network's. */
#include "check/greylist_key.h"

#include "../tap.h"

static void
senders(void)
{
	static const struct {
		const char *sender, *want;
	} v[] = {
		{ "Bob@A.Example", "bob@a.example" },
		{ "bob", "bob" },
		{ "bob2@a.example", "bob2@a.example" },
		{ "SRS0=HHHH=TT=a.example=bob@fwd.example", "srs0=a.example=bob@fwd.example" },
		{ "SRS0+x7Zk=4B=a.example=bob@fwd.example", "srs0=a.example=bob@fwd.example" },
		{ "SRS1=HHHH=one.example==GGGG=TT=a.example=bob@two.example",
		    "srs1=one.example=a.example=bob@two.example" },
		{ "srs1-zzzz=one.example=-aaaa=bb=a.example=bob@two.example",
		    "srs1=one.example=a.example=bob@two.example" },
		{ "SRS0=HHHH=bob@fwd.example", "=@fwd.example" },
		{ "SRS0@fwd.example", "srs0@fwd.example" },
		{ "srs1=h=@x.example", "=@x.example" },
		{ "prvs=0123456789=bob@a.example", "bob@a.example" },
		{ "prvs=bob@a.example", "=@a.example" },
		{ "list-owner+ann=b.example@lists.example", "list-owner+@lists.example" },
		{ "list-bounces-ann=b.example@lists.example", "list-bounces-=@lists.example" },
		{ "bounce-12345-ann=b.example@lists.example", "bounce-#-=@lists.example" },
		{ "bounce-999-ann=b.example@lists.example", "bounce-#-=@lists.example" },
		{ "ann=b.example@lists.example", "=@lists.example" },
		{ "bob+shop@a.example", "bob+@a.example" },
		{ "+bob@a.example", "+bob@a.example" },
		{ "msg.2024.11.24@news.example", "msg.#.#.#@news.example" },
		{ "bounces-0f3a9c7e21@news.example", "bounces-#@news.example" },
		{ "a@b@c.example", "a@b@c.example" },
		{ "@", "@" },
		{ "", "" },
	};
	struct mr_arena arena;

	mr_arena_init(&arena, 65536);
	for (size_t i = 0; i < sizeof v / sizeof *v; i++)
		is(mr_greylist_sender(&arena, mr_str(v[i].sender)), v[i].want, v[i].sender);
	mr_arena_free(&arena);
	mr_arena_init(&arena, 1);
	ok(!mr_greylist_sender(&arena, MR_STR("bob@a.example")).p, "no memory");
	mr_arena_free(&arena);
}

static void
names(void)
{
	static const struct {
		const char *host, *ip;
		bool is_generic;
	} v[] = {
		{ "mx1.", "192.0.2.1", false },
		{ "mail-2.eu.", "192.0.2.2", false },
		{ "mx1-2.", "192.0.2.1", false },
		{ "", "192.0.2.1", false },
		{ "out7.smtp.", "7.7.2.1", false },
		{ "1-2-0-192.", "192.0.2.1", true },
		{ "ip-192-0-2-1.", "192.0.2.1", true },
		{ "1.2.0.192.", "192.0.2.1", true },
		{ "host86-001-002.", "86.1.2.3", true },
		{ "7.", "7.7.2.1", false },
		{ "7.7.", "7.7.2.1", true },
		{ "h-c0000201.", "192.0.2.1", true },
		{ "C0-00-02-01.", "192.0.2.1", true },
		{ "c00002.", "192.0.2.1", false },
		{ "cc0000201.", "192.0.2.1", true },
		{ "mx.dsl.", "192.0.2.1", true },
		{ "DYN-3.", "192.0.2.1", true },
		{ "pool7.", "192.0.2.1", true },
		{ "carpool.", "192.0.2.1", false },
		{ "dynamics.", "192.0.2.1", false },
		{ "2001-db8--c000-201.", "2001:db8::c000:201", false },
		{ "2001-db8-0-0-0-0-c000-0201.", "2001:db8::c000:201", true },
		{ "1.0.2.", "2001:db8::1", false },
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct mr_ip ip;

		mr_ip_parse(&ip, mr_str(v[i].ip));
		ok(mr_greylist_is_generic(mr_str(v[i].host), &ip) == v[i].is_generic, "%s %s %s",
		    v[i].ip, v[i].is_generic ? "is in" : "is not in", v[i].host);
	}
}

int
main(void)
{
	senders();
	names();
	return done_testing();
}
