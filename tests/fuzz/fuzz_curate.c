/* fuzz_curate.c - what a step of `hone data` finds from before: any bytes as its journal and the files it counted on, as the lineage of
 * an input, as a list of phrases.
 *
 * The first byte says which. A journal is given the step that it would have to be of ("what") and its further members; behind NULs
 * stand the beginnings of the step's output and of its tables. Whatever comes, the step is refused with a text, or ends with an
 * output that is there, and the folder it worked in is gone. */
#include "curate/dedup.h"
#include "curate/filter.h"
#include "curate/select.h"
#include "curate/split.h"

#include "base/alloc.h"
#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

static volatile size_t sum; /* what was read is looked at */
static hone_pool *pool;
static char dir[80];

static void clean_up(void)
{
    hone_pool_destroy(pool);
    hone_remove_tree(dir);
}

static const char *path_of(const char *name)
{
    static char room[8][160];
    static int turn;
    char *out = room[turn = (turn + 1) & 7];
    snprintf(out, sizeof room[0], "%s/%s", dir, name);
    return out;
}

static void put(const char *name, const void *p, size_t n)
{
    MUST(hone_file_replace(path_of(name), p, n) >= 0);
}

/* ---- steps ------------------------------------------------------------------------------------------------------------- */

static const hone_cluster_spec near = {.fold = HONE_FOLD_SPACE,
                                       .near = 1,
                                       .words = 3,
                                       .bands = 4,
                                       .rows = 2,
                                       .seed = 1,
                                       .threshold = 0.5,
                                       .verify = 1,
                                       .memory = 1024};

static hone_status dedup_step(hone_input *in, hone_job *job)
{
    hone_dedup_result r;
    return hone_dedup_run(&near, 1, in, pool, job, &r);
}

static hone_status filter_step(hone_input *in, hone_job *job)
{
    static const char *const settings[] = {"min_words=4"};
    hone_quality q;
    hone_filter_result r;
    HONE_TRY(hone_quality_init(&q, NULL, settings, 1));
    return hone_filter_run(&q, NULL, 0, in, pool, job, &r);
}

static hone_status select_step(hone_input *in, hone_job *job)
{
    const hone_select_spec spec = {.by = "s",
                                   .min = (double)NAN,
                                   .max = (double)NAN,
                                   .top = 3,
                                   .diverse = 2,
                                   .seed = 1,
                                   .as = "x"};
    hone_select_result r;
    return hone_select_run(&spec, in, pool, job, &r);
}

static hone_status split_step(hone_input *in, hone_job *job)
{
    const hone_split_spec spec = {.share = {1}, .n = 1, .seed = 1, .near = &near};
    hone_split_result r;
    return hone_split_run(&spec, in, pool, job, &r);
}

typedef hone_status (*step_fn)(hone_input *in, hone_job *job);
static const struct {
    const char *verb;
    step_fn fn;
    const char *tables[2]; /* files of the folder */
} steps[] = {{"dedup", dedup_step, {"clusters", "places"}},
             {"filter", filter_step, {"report", "report"}},
             {"select", select_step, {"scores", "sketches"}},
             {"split", split_step, {"split", "places"}}};
enum { STEPS = sizeof steps / sizeof *steps, LINEAGE = STEPS, PHRASES, KINDS };

static hone_status run_step(size_t k, step_fn fn)
{
    const char *path = path_of("in.jsonl"), *out = path_of("out.jsonl");
    const hone_input_spec spec = {.paths = &path, .n = 1, .lines = 1};
    const hone_job_spec what = {
        .verb = steps[k].verb, .settings = {"{}", 2}, .out = &out, .n_out = 1, .no_lineage = 1};
    hone_input *in = NULL;
    hone_job *job = NULL;
    hone_status s = hone_input_open(&spec, &in);
    if (s >= 0) {
        hone_job_spec mine = what;
        mine.input = in;
        s = hone_job_open(&mine, &job);
    }
    if (s >= 0)
        s = fn(in, job);
    hone_job_close(job);
    hone_input_close(in);
    return s;
}

static hone_status note_only(hone_input *in, hone_job *job)
{
    (void)in;
    return hone_job_note(job, NULL, NULL);
}

/* The beginning of a journal of step k: {"what": TEXT */
static const char *journal_head(size_t k)
{
    static char *heads[STEPS];
    if (!heads[k]) {
        hone_buf b;
        hone_buf_init(&b, 1 << 20);
        MUST(run_step(k, note_only) >= 0);
        MUST(hone_file_read(path_of("out.jsonl.work/journal.json"), 1 << 20, &b) >= 0);
        char *end = strstr(b.ptr, "\"finished\"");
        MUST(end);
        *end = '\0';
        heads[k] = hone_strdup(b.ptr);
        hone_buf_release(&b);
    }
    return heads[k];
}

static void resume(size_t k, const unsigned char *data, size_t size)
{
    char name[80];
    hone_buf b;
    const char *head = journal_head(k);
    MUST(hone_mkdirs(path_of("out.jsonl.work")) >= 0);
    for (int part = 0; part < 4; part++) {
        const unsigned char *nul = size ? memchr(data, 0, size) : NULL;
        const size_t n = nul && part < 3 ? (size_t)(nul - data) : size;
        if (part == 0) {
            hone_buf_init(&b, 1 << 20);
            hone_buf_adds(&b, head);
            hone_buf_add(&b, data, n);
            put("out.jsonl.work/journal.json", b.ptr, b.len);
            hone_buf_release(&b);
        } else {
            snprintf(name, sizeof name, "out.jsonl.work/%s",
                     part == 1 ? "out.0" : steps[k].tables[part - 2]);
            put(name, data, n);
        }
        data += n < size ? n + 1 : size;
        size -= n < size ? n + 1 : size;
    }
    if (run_step(k, steps[k].fn) >= 0)
        MUST(hone_file_exists(path_of("out.jsonl")) &&
             !hone_file_exists(path_of("out.jsonl.work")));
    else
        MUST(hone_error_get()->what[0]);
    unlink(path_of("out.jsonl"));
    hone_remove_tree(path_of("out.jsonl.work"));
}

/* ---- lineage, phrases ------------------------------------------------------------------------------------------- */

static void read_lineage(const unsigned char *data, size_t size)
{
    hone_lineage_reader *r = NULL;
    hone_lineage *l = NULL;
    put("x.jsonl.lineage", data, size);
    if (hone_lineage_look(path_of("x.jsonl"), &r) >= 0) {
        MUST(r);
        for (uint64_t n = 1; n <= 12; n++) {
            hone_origin o = {.own = n % 3 ? 77 : 0};
            hone_str path, steps_of;
            if (hone_lineage_read(r, n == 12 ? UINT64_MAX : n * 5 % 11, &o, &path, &steps_of) < 0)
                continue;
            for (size_t i = 0; i < path.len; i++)
                sum += (unsigned char)path.ptr[i];
            for (size_t i = 0; i < steps_of.len; i++)
                sum += (unsigned char)steps_of.ptr[i];
        }
        hone_lineage_reader_close(r);
    }
    if (hone_lineage_open(path_of("x.jsonl.lineage"), size % 8, &l) >= 0) {
        hone_origin o = {.line = 1};
        if (hone_lineage_file(l, hone_str_c("a"), &o.file) >= 0 &&
            hone_lineage_chain(l, hone_str_c("[]"), &o.chain) >= 0 && hone_lineage_put(l, &o) >= 0)
            (void)hone_lineage_commit(l);
        hone_lineage_close(l);
    }
    unlink(path_of("x.jsonl.lineage"));
    unlink(path_of("x.jsonl.lineage-journal"));
}

/* A phrase of the file is found in itself. */
static void read_phrases(const unsigned char *data, size_t size)
{
    hone_phrases *p = NULL;
    hone_words w;
    put("phrases", data, size);
    if (hone_phrases_read(path_of("phrases"), &p) < 0)
        return;
    hone_words_init(&w);
    for (size_t at = 0; at < size;) {
        const unsigned char *nl = memchr(data + at, '\n', size - at);
        const size_t n = nl ? (size_t)(nl - (data + at)) : size - at;
        if (n && data[at] != '#') {
            MUST(hone_words_of(&w, (hone_str){(const char *)data + at, n}) >= 0);
            MUST(w.n == 0 || hone_phrases_count(p, &w) > 0);
        }
        at += n + 1;
    }
    hone_words_release(&w);
    hone_phrases_free(p);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const char rows[] = "{\"t\":\"one two three four five six seven\",\"s\":1}\n"
                               "{\"t\":\"eight nine ten\",\"s\":2.5}\n"
                               "{\"t\":\"one two three four five six eleven\",\"s\":3}\n"
                               "{\"t\":\"eight  nine ten\",\"s\":4}\n"
                               "{\"t\":\"something else altogether, it seems\",\"s\":5}\n";
    if (!pool) {
        MUST(hone_pool_create(1, &pool) >= 0);
        snprintf(dir, sizeof dir, "/dev/shm/hone-fuzz-curate-%d", (int)getpid());
        MUST(mkdir(dir, 0700) == 0);
        atexit(clean_up);
        put("in.jsonl", rows, sizeof rows - 1);
    }
    if (size < 1 || size > 1 << 16)
        return 0;
    const size_t k = data[0] % KINDS;
    if (k < STEPS)
        resume(k, data + 1, size - 1);
    else if (k == LINEAGE)
        read_lineage(data + 1, size - 1);
    else
        read_phrases(data + 1, size - 1);
    return 0;
}
