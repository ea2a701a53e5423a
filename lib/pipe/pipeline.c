#include "pipe/pipeline.h"

#include "base/child.h"
#include "base/io.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define WORDS_MAX 9 /* put before the options of an own filter */

/* What an own filter that is executed is told, as it would know it within the process, before the options of
 * its stage, which count more.  Returns how many words; 0 without memory. */
static size_t
tell_filter(struct mr_pipeline *pl, const struct mr_step *step, const char *word[WORDS_MAX])
{
	struct mr_str time_s = mr_arena_fmt(&pl->spec.arena, "%" PRIu64, step->stage->time_s);
	size_t n = 0;

	word[n++] = "-T";
	word[n++] = time_s.p;
	if (step->filter->message) { /* the answer is not for people, and where the record is */
		word[n++] = "-H";
		word[n++] = "-E";
		word[n++] = "3";
	}
	if (mr_filter_asks_dns(step->filter)) {
		word[n++] = "-N";
		word[n++] = pl->conf.host;
	}
	if (mr_filter_asks_dns(step->filter) && pl->conf.resolver) {
		word[n++] = "-D";
		word[n++] = pl->conf.resolver;
	}
	return time_s.p ? n : 0;
}

/* An executed command: argv with the path found instead of its first word. */
static void
find_program(struct mr_pipeline *pl, struct mr_step *step)
{
	const struct mr_stage *st = step->stage;
	struct mr_arena *arena = &pl->spec.arena;
	const char *word[WORDS_MAX];
	char path[PATH_MAX];
	struct mr_str copy;
	size_t words = 0;

	if (mr_child_find(path, sizeof path, st->argv[0], step->filter ? pl->conf.bin_dir : NULL,
	        pl->conf.path)) {
		mr_spec_complain(&pl->spec, st->line, false,
		    "stage '%s': no program '%s' in the PATH", st->name, st->argv[0]);
		return;
	}
	if (step->filter)
		words = tell_filter(pl, step, word);
	copy = mr_arena_dup(arena, mr_str(path));
	step->argv = mr_arena_alloc(arena, ((size_t)st->argc + 1 + WORDS_MAX) * sizeof *step->argv);
	if (!copy.p || !step->argv || (step->filter && !words)) {
		pl->spec.is_out_of_memory = true;
		return;
	}
	memcpy(step->argv + 1, word, words * sizeof *word);
	memcpy(step->argv + 1 + words, st->argv + 1, (size_t)st->argc * sizeof *step->argv);
	memcpy(&step->argv[0], &copy.p, sizeof copy.p);
}

/* Opens an own filter, even if it is to be executed: what is wrong is told now. */
static void
open_filter(struct mr_pipeline *pl, struct mr_step *step, const struct mr_filter *filter)
{
	const struct mr_stage *st = step->stage;
	struct mr_spec *spec = &pl->spec;
	struct mr_err err;

	if (mr_filter_open(&step->own, filter, st->argc, st->argv, pl->conf.log, pl->conf.watch,
	        &pl->shared, &err)) {
		mr_spec_complain(spec, st->line, false, "stage '%s': %s", st->name, err.text);
		return;
	}
	step->filter = filter;
	if (pl->conf.will_fork && filter->preload && filter->preload(step->own.state, &err))
		mr_spec_complain(spec, st->line, false, "stage '%s': %s", st->name, err.text);
	if (filter->message && st->phase != MR_DATA)
		mr_spec_complain(spec, st->line, false,
		    "stage '%s': %s needs the message, which only data has", st->name,
		    filter->name);
	if (step->own.conf.time_s == 0)
		step->own.conf.time_s = st->time_s;
	if (!step->own.conf.our_name.p)
		step->own.conf.our_name = mr_str(pl->conf.host);
	if (st->is_edit && !filter->edits)
		mr_spec_complain(
		    spec, st->line, false, "stage '%s': %s does not edit", st->name, filter->name);
	if (filter->edits && (!st->is_edit || st->phase != MR_RCPT))
		mr_spec_complain(spec, st->line, false,
		    "stage '%s': %s edits recipients: phase rcpt, option edit", st->name,
		    filter->name);
	if (st->codes != MR_CODES_MR)
		mr_spec_complain(
		    spec, st->line, false, "stage '%s': %s needs codes=mr", st->name, filter->name);
	if (step->own.is_loop || step->own.is_by_hand || step->own.is_report)
		mr_spec_complain(spec, st->line, false,
		    "stage '%s': -l, -n, -i, -h, -f and -r are for use by hand%s", st->name,
		    step->own.is_report ? "; for -n say warn" : "");
}

/* True if a stage before `step` runs the command `name`. */
static bool
has_before(const struct mr_pipeline *pl, const struct mr_step *step, const char *name)
{
	for (const struct mr_step *s = pl->step; s != step; s++)
		if (s->stage->argc && strcmp(s->stage->argv[0], name) == 0)
			return true;
	return false;
}

/* What an own filter needs of the stages round it. */
static void
check_place(struct mr_pipeline *pl, const struct mr_step *step)
{
	const struct mr_filter *filter = step->filter;
	const struct mr_stage *st = step->stage;

	for (const char *const *name = filter->reads; name && *name; name++)
		if (!has_before(pl, step, *name))
			mr_spec_complain(&pl->spec, st->line, true,
			    "stage '%s': %s needs the results of %s, which no stage before it runs",
			    st->name, filter->name, *name);
	for (size_t i = 0; filter->marks && i < step->own.conf.opt_n; i++)
		if (step->own.conf.opt[i].letter == filter->marks && st->gives == MR_PERMITTED)
			mr_spec_complain(&pl->spec, st->line, false,
			    "stage '%s': with -%c it needs class= and a name of its own", st->name,
			    filter->marks);
}

static void
open_step(struct mr_pipeline *pl, struct mr_step *step, const struct mr_stage *stage)
{
	const struct mr_filter *filter;

	step->stage = stage;
	if (stage->codes == MR_CODES_POLICY)
		return;
	filter = mr_filter_find(stage->argv[0]);
	if (filter)
		open_filter(pl, step, filter);
	if (!filter || pl->conf.exec_all)
		find_program(pl, step);
}

/* What makes signatures worthless: anybody's mail is signed, or a signed message is changed. */
static void
judge_signing(struct mr_pipeline *pl)
{
	const struct mr_stage *signer = NULL;

	for (size_t i = 0; i < pl->n; i++) {
		const struct mr_stage *st = pl->step[i].stage;

		if (pl->step[i].filter == &mr_filter_dkimsign) {
			signer = st;
			if (!(st->only & (MR_TRUSTED | MR_AUTH)))
				mr_spec_complain(&pl->spec, st->line, true,
				    "stage '%s': it signs what anybody sends; say "
				    "only=auth+trusted",
				    st->name);
		} else if (signer && st->phase == MR_DATA && st->is_edit) {
			mr_spec_complain(&pl->spec, st->line, true,
			    "stage '%s': it edits what stage '%s' has signed", st->name,
			    signer->name);
		}
	}
}

static enum mr_status
read_spec(struct mr_pipeline *pl, const char *path, struct mr_err *err)
{
	struct mr_buf text;
	enum mr_status st;

	mr_buf_init(&text, MR_SPEC_MAX);
	st = mr_io_read_file(path, &text, err);
	if (st == MR_OK && mr_spec_parse(&pl->spec, mr_buf_str(&text), err) == MR_TEMP)
		st = MR_TEMP; /* what is wrong with a line is told when all has been looked at */
	mr_buf_free(&text);
	return st;
}

/* True if an own filter asks the DNS, and was not told whom.  One that is executed asks by itself, but the
 * client's names in its record are found here. */
static bool
shares_dns(const struct mr_pipeline *pl)
{
	for (size_t i = 0; i < pl->n; i++) {
		const struct mr_step *step = &pl->step[i];

		if (step->filter && mr_filter_asks_dns(step->filter) && !step->own.has_resolver)
			return true;
	}
	return false;
}

enum mr_status
mr_pipeline_open(
    struct mr_pipeline *pl, const char *path, const struct mr_pipe_conf *conf, struct mr_err *err)
{
	enum mr_status st;

	*pl = (struct mr_pipeline){ .conf = *conf,
		.shared.stores.are_in_memory = conf->is_rehearsal };
	mr_confined_init(&pl->confined, pl);
	if (!path)
		return MR_OK;
	if ((st = mr_watch_add(pl->conf.watch, path, err)) || (st = read_spec(pl, path, err)))
		return st;
	if (pl->spec.n
	    && !(pl->step = mr_arena_alloc(&pl->spec.arena, pl->spec.n * sizeof *pl->step)))
		return mr_err_set(err, MR_TEMP, "%s: out of memory", path);
	for (; pl->n < pl->spec.n; pl->n++)
		open_step(pl, &pl->step[pl->n], &pl->spec.stage[pl->n]);
	for (size_t i = 0; i < pl->n; i++)
		if (pl->step[i].filter)
			check_place(pl, &pl->step[i]);
	judge_signing(pl);
	if (pl->conf.resolver) {
		if ((st = mr_dns_conf_parse(&pl->resolver, pl->conf.resolver, err)))
			return st;
	} else if (shares_dns(pl)
	    && ((st = mr_watch_add(pl->conf.watch, MR_DNS_RESOLV_CONF, err))
	        || (st = mr_dns_conf_read(&pl->resolver, MR_DNS_RESOLV_CONF, err))))
		return st;
	if (pl->spec.is_out_of_memory)
		return mr_err_set(err, MR_TEMP, "%s: out of memory", path);
	for (size_t i = 0; i < pl->spec.problem_n; i++)
		if (!pl->spec.problem[i].is_warning)
			return mr_err_set(err, MR_PERM, "%s: line %u: %s", path,
			    pl->spec.problem[i].line, pl->spec.problem[i].text);
	return MR_OK;
}

void
mr_pipeline_close(struct mr_pipeline *pl)
{
	mr_confined_end(&pl->confined);
	for (size_t i = 0; i < pl->n; i++)
		if (pl->step[i].filter)
			mr_filter_close(&pl->step[i].own);
	mr_dns_close(pl->dns);
	mr_filter_shared_close(&pl->shared);
	mr_spec_free(&pl->spec);
}

void
mr_pipeline_begin(struct mr_pipeline *pl)
{
	if (pl->dns)
		mr_dns_forget(pl->dns);
	else if (shares_dns(pl))
		mr_dns_open(&pl->dns, &pl->resolver, NULL);
	for (size_t i = 0; i < pl->n; i++)
		if (pl->step[i].filter) {
			mr_filter_forget(&pl->step[i].own);
			mr_filter_share(&pl->step[i].own, pl->dns);
		}
}

bool
mr_pipeline_executes(const struct mr_pipeline *pl)
{
	for (size_t i = 0; i < pl->n; i++)
		if (pl->step[i].argv)
			return true;
	return false;
}
