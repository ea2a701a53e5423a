/* The one file that knows libarchive. */
#include "check/archive.h"

#include "base/lazy.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#define BLOCK 65536u

/* No filter that starts a program, no format that is text (mtree, warc). */
#define LIB(name) archive_##name
#define FUNCTIONS(F)                    \
	F(read_new)                     \
	F(read_free)                    \
	F(read_open_fd)                 \
	F(read_next_header)             \
	F(read_data_block)              \
	F(read_has_encrypted_entries)   \
	F(error_string)                 \
	F(entry_pathname)               \
	F(entry_filetype)               \
	F(entry_is_data_encrypted)      \
	F(read_support_format_7zip)     \
	F(read_support_format_rar)      \
	F(read_support_format_rar5)     \
	F(read_support_format_cab)      \
	F(read_support_format_lha)      \
	F(read_support_format_cpio)     \
	F(read_support_format_tar)      \
	F(read_support_format_ar)       \
	F(read_support_format_xar)      \
	F(read_support_format_zip)      \
	F(read_support_format_raw)      \
	F(read_support_filter_bzip2)    \
	F(read_support_filter_xz)       \
	F(read_support_filter_lzma)     \
	F(read_support_filter_zstd)     \
	F(read_support_filter_lz4)      \
	F(read_support_filter_lzip)     \
	F(read_support_filter_compress) \
	F(read_support_filter_gzip)

struct libarchive {
	FUNCTIONS(MR_LAZY_FIELD)
};

static void
support(const struct libarchive *lib, struct archive *a, bool is_packed)
{
	lib->read_support_filter_bzip2(a);
	lib->read_support_filter_xz(a);
	lib->read_support_filter_lzma(a);
	lib->read_support_filter_zstd(a);
	lib->read_support_filter_lz4(a);
	lib->read_support_filter_lzip(a);
	lib->read_support_filter_compress(a);
	if (is_packed) {
		lib->read_support_format_raw(a);
		return;
	}
	lib->read_support_filter_gzip(a);
	lib->read_support_format_7zip(a);
	lib->read_support_format_rar(a);
	lib->read_support_format_rar5(a);
	lib->read_support_format_cab(a);
	lib->read_support_format_lha(a);
	lib->read_support_format_cpio(a);
	lib->read_support_format_tar(a);
	lib->read_support_format_ar(a);
	lib->read_support_format_xar(a);
	lib->read_support_format_zip(a);
}

/* False: its bytes cannot be read. */
static bool
read_member(
    const struct libarchive *lib, struct archive *a, const struct mr_archive_ops *ops, void *ctx)
{
	const void *p;
	la_int64_t offset;
	size_t n;
	int code;

	while ((code = lib->read_data_block(a, &p, &n, &offset)) == ARCHIVE_OK)
		if (n && !ops->body(ctx, (struct mr_str){ p, n }))
			return true;
	return code == ARCHIVE_EOF;
}

static enum mr_status
read_all(const struct libarchive *lib, struct archive *a, bool is_packed,
    const struct mr_archive_ops *ops, void *ctx, struct mr_err *err)
{
	struct archive_entry *e;
	bool is_readable = true;
	int code;

	while ((code = lib->read_next_header(a, &e)) == ARCHIVE_OK || code == ARCHIVE_WARN) {
		const char *name = is_packed ? "" : lib->entry_pathname(e);

		if (!ops->go_on(ctx))
			return MR_OK;
		if (lib->entry_filetype(e) == AE_IFDIR)
			continue;
		if (!ops->member(ctx, mr_str(name ? name : ""), lib->entry_is_data_encrypted(e)))
			continue;
		is_readable &= read_member(lib, a, ops, ctx);
		ops->end(ctx);
	}
	if (code == ARCHIVE_EOF && is_readable)
		return MR_OK;
	if (lib->read_has_encrypted_entries(a) > 0)
		return mr_err_set(err, MR_NOTFOUND, "the list of members is encrypted");
	return mr_err_set(
	    err, MR_PERM, "%s", lib->error_string(a) ? lib->error_string(a) : "damaged");
}

enum mr_status
mr_archive_read(
    int fd, bool is_packed, const struct mr_archive_ops *ops, void *ctx, struct mr_err *err)
{
	struct libarchive lib;
	struct archive *a;
	enum mr_status st;

	if ((st = MR_LAZY_LOAD(&lib, FUNCTIONS, err)))
		return st;
	if (!(a = lib.read_new()))
		return mr_err_set(err, MR_TEMP, "out of memory");
	support(&lib, a, is_packed);
	if (lseek(fd, 0, SEEK_SET) < 0)
		st = mr_err_sys(err, MR_TEMP, "seek");
	else if (lib.read_open_fd(a, fd, BLOCK) != ARCHIVE_OK)
		st =
		    mr_err_set(err, MR_PERM, "%s", lib.error_string(a) ? lib.error_string(a) : "?");
	else
		st = read_all(&lib, a, is_packed, ops, ctx, err);
	lib.read_free(a);
	return st;
}
