/* mimefile.h - files encoded within lines of text: uuencode, xxencode, begin-base64, yEnc, BinHex. */
#ifndef MR_MAIL_MIMEFILE_H
#define MR_MAIL_MIMEFILE_H

#include "mail/mime.h"

#define MR_MIMEFILE_NAME_MAX 256u /* of a longer name the last bytes count */

/* One for each codec that a line may begin: a line "begin" may be of several. */
struct mr_mimefile_slot {
	bool is_ready; /* its first line was there */
	bool is_open;  /* and a line of data, too: text alone is no file */
	char name[MR_MIMEFILE_NAME_MAX];
	size_t name_n;
	struct mr_decoder decoder;
};

struct mr_mimefile {
	const struct mr_mime_ops *ops;
	void *ctx;
	enum mr_codec now; /* whose bytes come */
	struct mr_mimefile_slot slot[MR_CODEC_BINHEX + 1];
};

void mr_mimefile_init(struct mr_mimefile *f, const struct mr_mime_ops *ops, void *ctx);

/* The next line of text, without line end. */
void mr_mimefile_line(struct mr_mimefile *f, struct mr_str line);

/* No more lines of this text: ends what is open. */
void mr_mimefile_end(struct mr_mimefile *f);

#endif
