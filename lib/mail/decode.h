/* decode.h - what hides bytes in lines of text, undone as the most lenient of readers would: base64,
 * quoted-printable, uuencode, xxencode, yEnc, BinHex 4.0.  Streaming, constant memory, no failure: what
 * cannot be decoded is skipped. */
#ifndef MR_MAIL_DECODE_H
#define MR_MAIL_DECODE_H

#include "base/str.h"

enum mr_codec {
	MR_CODEC_BASE64, /* RFC 2045 6.8; other characters are skipped, padding ends a group, not the data */
	MR_CODEC_QP,    /* RFC 2045 6.7; a '=' that begins nothing stands for itself */
	MR_CODEC_UU,    /* POSIX uuencode; each call takes one line of data */
	MR_CODEC_XX,    /* the same with the alphabet of xxencode */
	MR_CODEC_YENC,  /* the data between =ybegin and =yend, line ends included */
	MR_CODEC_BINHEX /* RFC 1741, from the first ':' on; gives the forks, one after the other */
};

#define MR_BINHEX_NAME_MAX 63u /* RFC 1741: bytes of a file name */

struct mr_decoder {
	enum mr_codec codec;
	uint32_t bits; /* not given out yet ... */
	unsigned n; /* ... how many characters of a group they are; in QP and yEnc, what was seen */
	char held;  /* QP: the hex digit after '='; BinHex: the byte that a run repeats */

	/* BinHex only */
	bool is_run;    /* the run mark was the last byte */
	bool has_ended; /* the second ':' was there */
	unsigned head_n, skip;
	unsigned char head[MR_BINHEX_NAME_MAX + 22];
	uint32_t left, resource; /* bytes of this fork still to come; length of the second one */
	struct mr_str name;      /* a view of head, once that is complete; p NULL before */
};

void mr_decoder_init(struct mr_decoder *d, enum mr_codec codec);

/* Decodes the next piece; `emit` gets the bytes in pieces of at most 4096, valid during the call. */
void mr_decode(struct mr_decoder *d, struct mr_str in, void (*emit)(void *ctx, struct mr_str bytes),
    void *ctx);

/* True if `line` (without line end) is one that uuencode, or xxencode, may have written. */
bool mr_decode_is_line(enum mr_codec codec, struct mr_str line);

/* True if all of `text` is of the alphabet of base64, padding included. */
bool mr_decode_is_base64(struct mr_str text);

#endif
