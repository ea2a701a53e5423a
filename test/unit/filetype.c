/* filetype.c - lib/check/filetype and magic: what is told by bytes, and texts that only look so. */
#include "check/filetype.h"

#include "../tap.h"
#include "base/buf.h"

static struct mr_buf words;

static void
take(void *ctx, const char *word)
{
	(void)ctx;
	mr_buf_adds(&words, word);
	mr_buf_addc(&words, ' ');
}

static struct mr_str
by_head(struct mr_str head)
{
	mr_buf_clear(&words);
	mr_filetype_by_head(head, take, NULL);
	return mr_buf_str(&words);
}

static void
scripts(void)
{
	static const char *const t[][2] = { { "#!/bin/sh\n", "script " },
		{ "#! /usr/bin/env x\n", "script " }, { "#!shebang is a word\n", "" },
		{ "\xef\xbb\xbf\r\n@Echo OFF\r\n", "batch " }, { "@example.org is a domain\n", "" },
		{ "REGEDIT4\r\n", "registry " },
		{ "Windows Registry Editor Version 5.00\r\n", "registry " },
		{ "[InternetShortcut]\r\nURL=x\r\n", "shortcut " },
		{ "[InternetShortcut] is a word", "" },
		{ "[Desktop Entry]\nExec=x\n", "shortcut " },
		{ "<html><hta:application id=x>", "hta " },
		{ "<job id=\"t\"><script language=\"JScript\">", "wsf " },
		{ "Dim s\r\nSet s = CreateObject(\"WScript.Shell\")", "vbs " },
		{ "var s = new ActiveXObject(\"x\");", "js " },
		{ "How CreateObject(\"WScript.Shell\") works", "" },
		{ "param($x)\nWrite-Host \"x\"\n", "powershell " }, { "param is a word", "" },
		{ "#@~^AAAA==", "vbs " }, { "MZ is the code of Mozambique\n", "" },
		{ "PK is a word, begin 644 too\n", "" }, { "<html><p>WScript.Shell</p>", "" } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		is(by_head(mr_str(t[i][0])), t[i][1], t[i][0]);
}

static void
programs(void)
{
	char head[1024] = "MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff";
	struct mr_str s = { head, sizeof head };

	is(by_head(s), "dos ", "MZ");
	head[0x3c] = 0x40;
	memcpy(head + 0x40, "PE\0\0", 4);
	is(by_head(s), "pe ", "PE");
	memcpy(head + 0x40, "NE\5\1", 4);
	is(by_head(s), "ne ", "NE");
	memset(head, 0, sizeof head);
	memcpy(head, "\xeb\x3c\x90MSDOS5.0\0\2\4\1\0\2", 17);
	memcpy(head + 510, "\x55\xaa", 2);
	is(by_head(s), "disk ", "FAT");
	memset(head, 0, sizeof head);
	memcpy(head + 446, "\x80\0\0\0\x0c\0\0\0\0\x08\0\0\0\x10\0\0", 16);
	memcpy(head + 510, "\x55\xaa", 2);
	is(by_head(s), "disk ", "partitions");
	memset(head, 0, sizeof head);
	is(by_head(s), "", "zeros");
	memcpy(head + 512, "koly\0\0\0\4", 8);
	mr_buf_clear(&words);
	mr_filetype_by_tail(s, take, NULL);
	is(mr_buf_str(&words), "disk ", "the trailer of a DMG");
}

static void
containers(void)
{
	static const struct {
		struct mr_str s;
		enum mr_container is;
	} t[] = { { { "hello", 5 }, MR_HOLDS_TEXT }, { { "\0\1\2\3", 4 }, MR_HOLDS_NOTHING },
		{ { "", 0 }, MR_HOLDS_NOTHING }, { { "PK\3\4", 4 }, MR_HOLDS_ZIP },
		{ { "\x1f\x8b\x08\0", 4 }, MR_HOLDS_GZIP },
		{ { "\xff\xfe"
		    "a\0",
		      4 },
		    MR_HOLDS_UTF16 },
		{ { "\xfe\xff\0a", 4 }, MR_HOLDS_UTF16_BE },
		{ { "a\0b\0c\0d\0e\0f\0", 12 }, MR_HOLDS_UTF16 },
		{ { "\0a\0b\0c\0d\0e\0f", 12 }, MR_HOLDS_UTF16_BE },
		{ { "\x30\x80\6\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", 13 }, MR_HOLDS_CMS } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		ok(mr_filetype_container(t[i].s) == t[i].is, "container: case %zu", i);
}

static void
told(void)
{
	static char large[40000] = "%PDF-1.4";

	ok(mr_filetype_is_told(MR_STR("%PDF-1.4"))
	        && !mr_filetype_is_told(MR_STR("\x7f"
	                                       "ELF")),
	    "libmagic need not be asked about a PDF");
	ok(!mr_filetype_is_told((struct mr_str){ large, sizeof large }),
	    "but about one that is large enough for an ISO image");
}

static void
magic(void)
{
	static const struct {
		struct mr_str s;
		const char *word;
	} t[] = { { { "\x7f"
		      "ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\x3e\0",
		        20 },
		      "elf" },
		{ { "\xcf\xfa\xed\xfe\7\0\0\1", 8 }, "macho" },
		{ { "\xca\xfe\xba\xbe\0\0\0\2", 8 }, "macho" },
		{ { "\xca\xfe\xba\xbe\0\0\0\x34", 8 }, "java" }, { { "dex\n035\0", 8 }, "dex" },
		{ { "L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0F", 20 }, "shortcut" },
		{ { "ITSF\3\0\0\0", 8 }, "help" }, { { "conectix", 8 }, "disk" },
		{ { "!<arch>\ndebian-binary", 21 }, "package-unix" },
		{ { "%PDF-1.4\n\xff", 10 }, "" }, { { "\x89PNG\r\n\x1a\n", 8 }, "" },
		{ { "\xff\xd8\xff\xe0\0\x10JFIF", 10 }, "" } };
	char word[MR_FILETYPE_WORD_MAX];
	struct mr_magic *m;
	struct mr_err err;

	if (!ok(mr_magic_open(&m, false, &err) == MR_OK, "libmagic takes our database"))
		return;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		ok(mr_magic_word(m, t[i].s, word, &err) == MR_OK, "a look");
		is(mr_str(word), t[i].word, t[i].word);
	}
	mr_magic_close(m);
	if (!ok(mr_magic_open(&m, true, &err) == MR_OK, "and the system's"))
		return;
	ok(mr_magic_word(m, MR_STR("%PDF-1.4\n"), word, &err) == MR_OK, "a look");
	is(mr_str(word), "application/pdf", "a PDF");
	mr_magic_close(m);
}

int
main(void)
{
	mr_buf_init(&words, 1000);
	scripts();
	programs();
	containers();
	told();
	magic();
	mr_buf_free(&words);
	return done_testing();
}
