#include "check/filetype.h"

#include <string.h>

#define TEXT_LOOK 4096u  /* bytes that decide whether it is text */
#define FAR_MARK  32768u /* the first mark of filetype.magic that is not at the start */

struct taker {
	void (*take)(void *ctx, const char *word);
	void *ctx;
};

static bool
at(struct mr_str s, size_t off, struct mr_str bytes)
{
	return s.n >= off + bytes.n && memcmp(s.p + off, bytes.p, bytes.n) == 0;
}
#define AT(s, off, literal) at((s), (off), MR_STR(literal))

static unsigned
le16(struct mr_str s, size_t off)
{
	return off + 2 <= s.n ? (unsigned char)s.p[off] | (unsigned)(unsigned char)s.p[off + 1] << 8
	                      : 0;
}

static uint32_t
le32(struct mr_str s, size_t off)
{
	return le16(s, off) | (uint32_t)le16(s, off + 2) << 16;
}

static bool
holds(struct mr_str s, const char *word)
{
	return memmem(s.p, s.n, word, strlen(word)) != NULL;
}

/* ---- containers ---------------------------------------------------------------------------------- */

static bool
is_text(struct mr_str s)
{
	size_t odd = 0;

	if (s.n > TEXT_LOOK)
		s.n = TEXT_LOOK;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\0')
			return false;
		odd += (unsigned char)s.p[i] < ' ' && !strchr("\t\n\r\f\b\x1b", s.p[i]);
	}
	return odd * 50 <= s.n;
}

/* A byte order mark, or nothing but Latin for as long as a line. */
static enum mr_container
utf16(struct mr_str s)
{
	size_t zero[2] = { 0, 0 }, n = s.n < 64 ? s.n & ~(size_t)1 : 64;

	if (AT(s, 0, "\xff\xfe") && !AT(s, 2, "\0\0"))
		return MR_HOLDS_UTF16;
	if (AT(s, 0, "\xfe\xff"))
		return MR_HOLDS_UTF16_BE;
	for (size_t i = 0; i < n; i++)
		zero[i & 1] += s.p[i] == '\0';
	if (n >= 8 && zero[1] == n / 2 && zero[0] == 0)
		return MR_HOLDS_UTF16;
	return n >= 8 && zero[0] == n / 2 && zero[1] == 0 ? MR_HOLDS_UTF16_BE : MR_HOLDS_NOTHING;
}

/* The sum over a tar header, its own field as blanks: also for those that are older than "ustar". */
static bool
is_tar(struct mr_str s)
{
	uint32_t sum = 0, said = 0;

	if (s.n < 512)
		return false;
	for (size_t i = 0; i < 512; i++)
		sum += i >= 148 && i < 156 ? ' ' : (unsigned char)s.p[i];
	for (size_t i = 148; i < 156; i++)
		if (s.p[i] >= '0' && s.p[i] <= '7')
			said = said * 8 + (uint32_t)(s.p[i] - '0');
	return sum == said && s.p[0];
}

enum mr_container
mr_filetype_container(struct mr_str s)
{
#define MARK(off, literal, is)                        \
	{                                             \
		off, literal, sizeof(literal) - 1, is \
	}
	static const struct {
		size_t off;
		const char *bytes;
		size_t n;
		enum mr_container is;
	} marks[] = {
		MARK(0, "PK\3\4", MR_HOLDS_ZIP),
		MARK(0, "PK\5\6", MR_HOLDS_ZIP),
		MARK(0, "PK00PK\3\4", MR_HOLDS_ZIP),
		MARK(0, "\x1f\x8b\x08", MR_HOLDS_GZIP),
		MARK(0, "7z\xbc\xaf\x27\x1c", MR_HOLDS_ARCHIVE),
		MARK(0, "Rar!\x1a\x07", MR_HOLDS_ARCHIVE),
		MARK(0, "MSCF\0\0\0\0", MR_HOLDS_ARCHIVE),
		MARK(2, "-lh", MR_HOLDS_ARCHIVE),
		MARK(2, "-lz", MR_HOLDS_ARCHIVE),
		MARK(0, "xar!", MR_HOLDS_ARCHIVE),
		MARK(0, "BZh", MR_HOLDS_PACKED),
		MARK(0, "\xfd\x37zXZ\0", MR_HOLDS_PACKED),
		MARK(0, "\x5d\0\0", MR_HOLDS_PACKED),
		MARK(0, "\x28\xb5\x2f\xfd", MR_HOLDS_PACKED),
		MARK(0, "\x04\x22\x4d\x18", MR_HOLDS_PACKED),
		MARK(0, "LZIP", MR_HOLDS_PACKED),
		MARK(0, "\x1f\x9d", MR_HOLDS_PACKED),
		MARK(257, "ustar", MR_HOLDS_UNIX_ARCHIVE),
		MARK(0, "07070", MR_HOLDS_UNIX_ARCHIVE),
		MARK(0, "\xc7\x71", MR_HOLDS_UNIX_ARCHIVE),
		MARK(0, "!<arch>\n", MR_HOLDS_UNIX_ARCHIVE),
		MARK(0, "\x78\x9f\x3e\x22", MR_HOLDS_TNEF),
		MARK(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", MR_HOLDS_OLE),
	};
	struct mr_str start = { s.p, s.n < 40 ? s.n : 40 };

	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		if (at(s, marks[i].off, (struct mr_str){ marks[i].bytes, marks[i].n }))
			return marks[i].is;
	if (start.n && start.p[0] == 0x30 && holds(start, "\x2a\x86\x48\x86\xf7\x0d\x01"))
		return MR_HOLDS_CMS;
	if (is_tar(s))
		return MR_HOLDS_UNIX_ARCHIVE;
	if (s.n && is_text(s))
		return MR_HOLDS_TEXT;
	return utf16(s);
}

/* ---- programs -------------------------------------------------------------------------------------- */

/* MZ begins texts, too: the header must be one. */
static void
dos(struct mr_str s, const struct taker *t)
{
	uint32_t next = le32(s, 0x3c);
	unsigned last_page = le16(s, 2), pages = le16(s, 4), header = le16(s, 8);

	if (!AT(s, 0, "MZ") && !AT(s, 0, "ZM"))
		return;
	if (next < s.n && at(s, next, MR_STR("PE\0\0")))
		t->take(t->ctx, "pe");
	else if (next < s.n && next >= 0x40
	    && (AT(s, next, "NE") || AT(s, next, "LE") || AT(s, next, "LX")))
		t->take(t->ctx, "ne");
	else if (s.n >= 28 && last_page <= 511 && pages >= 1 && header >= 1 && header <= 0x1000
	    && memchr(s.p, '\0', 28))
		t->take(t->ctx, "dos");
}

/* A boot sector, of a partition or of a whole disk. */
static void
disk(struct mr_str s, const struct taker *t)
{
	unsigned sector = le16(s, 11), cluster = s.n > 13 ? (unsigned char)s.p[13] : 0;
	bool is_boot = AT(s, 510, "\x55\xaa");
	bool is_fat = is_boot && (AT(s, 0, "\xe9") || (AT(s, 0, "\xeb") && AT(s, 2, "\x90")))
	    && sector >= 512 && sector <= 4096 && !(sector & (sector - 1)) && cluster
	    && !(cluster & (cluster - 1));
	unsigned used = 0, bad = 0;

	for (size_t p = 446; is_boot && p < 510; p += 16) {
		bad += s.p[p] != 0 && (unsigned char)s.p[p] != 0x80;
		used += s.p[p + 4] != 0 && le32(s, p + 8) && le32(s, p + 12);
	}
	if (is_fat || AT(s, 3, "NTFS    ") || AT(s, 3, "EXFAT   ") || (is_boot && used && !bad))
		t->take(t->ctx, "disk");
}

/* ---- scripts ---------------------------------------------------------------------------------------- */

/* The text behind a byte order mark, blanks and empty lines. */
static struct mr_str
first_line(struct mr_str s)
{
	if (AT(s, 0, "\xef\xbb\xbf"))
		s = mr_str_from(s, 3);
	while (s.n && s.p[0] && strchr(" \t\r\n", s.p[0]))
		s = mr_str_from(s, 1);
	return s;
}

static bool
starts_one_of(struct mr_str s, const char *const *word)
{
	for (; *word; word++)
		if (mr_str_casestarts(s, *word))
			return true;
	return false;
}

static bool
holds_one_of(struct mr_str s, const char *const *word)
{
	for (; *word; word++)
		if (mr_str_caseholds(s, *word))
			return true;
	return false;
}

/* How a script of Windows begins, and what it cannot do without to do harm. */
static void
windows_script(struct mr_str s, const struct taker *t)
{
	static const char *const js_starts[] = { "var ", "let ", "const ", "function", "try", "if",
		"//", "/*", "(function", "(()", "!function", "with", "for", "eval", "new ", "this",
		"@set", "wscript", "=", NULL };
	static const char *const vbs_starts[] = { "dim ", "set ", "on error", "option explicit",
		"sub ", "function", "private ", "public ", "const ", "'", "rem ", "class ",
		"execute", "wscript", "createobject", "if ", NULL };
	static const char *const hosts[] = { "wscript.shell", "wscript.createobject",
		"wscript.echo", "wscript.sleep", "wscript.arguments", "wscript.scriptfullname",
		"scripting.filesystemobject", "shell.application", "adodb.stream",
		"createobject(\"", "getobject(\"", "new activexobject(", NULL };
	static const char *const ps_starts[] = { "param", "$", "#requires", "function", "write-",
		"invoke-", "import-module", "start-process", "set-", "get-", "new-object",
		"powershell", "[", "<#", "#", "iex", "add-type", "using namespace", "&", NULL };
	static const char *const ps_words[] = { "invoke-expression", "invoke-webrequest",
		"invoke-command", "invoke-restmethod", "new-object ", "write-host ",
		"write-output ", "start-process ", "downloadstring", "downloadfile",
		"frombase64string", "set-executionpolicy", "-encodedcommand", "add-type ",
		"get-wmiobject", "[system.net.", NULL };
	struct mr_str head = { s.p, s.n < 16384 ? s.n : 16384 };

	if (starts_one_of(s, vbs_starts) && holds_one_of(head, hosts))
		t->take(t->ctx, "vbs");
	else if (starts_one_of(s, js_starts) && holds_one_of(head, hosts))
		t->take(t->ctx, "js");
	if (starts_one_of(s, ps_starts) && holds_one_of(head, ps_words))
		t->take(t->ctx, "powershell");
}

static void
script(struct mr_str s, const struct taker *t)
{
	static const char *const batch[] = { "@echo", "@if ", "@set ", "@rem", "@cls", "@start",
		"@powershell", "@cmd", "@call", "@goto", "@cd ", "@pushd", "@setlocal", "@for ",
		"@mode", "@color", "@title", "echo off", "setlocal", "@%", NULL };
	static const char *const registry[] = { "regedit4", "windows registry editor version",
		NULL };
	static const struct {
		const char *start, *holds, *word;
	} marks[] = { { "[internetshortcut", "url=", "shortcut" },
		{ "[{000214a0-", "url=", "shortcut" }, { "[desktop entry]", "exec=", "shortcut" },
		{ "[shell]", "command=", "shortcut" }, { "[version]", "signature", "inf" },
		{ "#@~^", "", "vbs" }, { "activemime", "", "macro" },
		{ "{\\rt", "5061636b616765", "package" },
		{ "{\\rt", "\\objclass package", "package" }, { "web\r\n1", "", "query" },
		{ "web\n1", "", "query" }, { "id;p", "exec(", "macro" } };
	static const struct {
		const char *one, *other, *word;
	} tags[] = { { "<hta:application", "<", "hta" }, { "<job", "<script", "wsf" },
		{ "<package", "<script", "wsf" }, { "<component", "<script", "wsf" },
		{ "<scriptlet", "<script", "wsf" },
		{ "<pcsettings", "searchablecontent", "shortcut" },
		{ "<librarydescription", "<", "shortcut" },
		{ "<searchconnectordescription", "<", "shortcut" },
		{ "<mmc_consolefile", "<", "shortcut" } };
	struct mr_str line = first_line(s), tag_room = line;

	if (mr_str_starts(line, "#!")) {
		ptrdiff_t end = mr_str_chr(line, '\n');
		struct mr_str first = { line.p, end < 0 ? line.n : (size_t)end };

		first = mr_str_trim(mr_str_from(first, 2));
		if (first.n && first.p[0] == '/')
			t->take(t->ctx, "script");
	}
	if (starts_one_of(line, batch))
		t->take(t->ctx, "batch");
	if (starts_one_of(line, registry))
		t->take(t->ctx, "registry");
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		if (mr_str_casestarts(line, marks[i].start)
		    && mr_str_caseholds(line, marks[i].holds))
			t->take(t->ctx, marks[i].word);
	if (line.n && line.p[0] != '<')
		tag_room.n = tag_room.n < 4096 ? tag_room.n : 4096;
	for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
		if (mr_str_caseholds(tag_room, tags[i].one)
		    && mr_str_caseholds(tag_room, tags[i].other))
			t->take(t->ctx, tags[i].word);
	windows_script(line, t);
}

void
mr_filetype_by_head(struct mr_str head, void (*take)(void *ctx, const char *word), void *ctx)
{
	const struct taker t = { take, ctx };

	if (head.n && is_text(head)) {
		script(head, &t);
		return;
	}
	dos(head, &t);
	disk(head, &t);
	if (AT(head, 7, "**ACE**") || (AT(head, 0, "\x60\xea") && le16(head, 2) <= 2600)
	    || AT(head, 0, "ALZ\1") || AT(head, 0, "EGGA"))
		take(ctx, "opaque");
}

bool
mr_filetype_is_told(struct mr_str head)
{
	static const char *const starts[] = { "%PDF-", "\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "GIF8",
		"PK\3\4", "\x1f\x8b\x08", "\xd0\xcf\x11\xe0", "MZ", "Rar!", "7z\xbc\xaf" };

	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
		if (mr_str_starts(head, starts[i]))
			return head.n < FAR_MARK;
	return false;
}

void
mr_filetype_by_tail(struct mr_str tail, void (*take)(void *ctx, const char *word), void *ctx)
{
	if (tail.n < MR_FILETYPE_TAIL_MAX)
		return;
	tail = mr_str_from(tail, tail.n - MR_FILETYPE_TAIL_MAX);
	if (AT(tail, 0, "koly\0\0\0\4") || AT(tail, 0, "conectix"))
		take(ctx, "disk");
}
