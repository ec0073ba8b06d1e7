/* command.h - what the reward, the judge and the source "command" share: text, settings, a program and its lives.
 *
 * The protocol of lines is in docs/command.md. See talk.c. */
#ifndef HONE_COMMAND_H
#define HONE_COMMAND_H
#include "hone/judge.h"
#include "hone/reward.h"

typedef struct memory {
    hone_ref ref;
} memory;
/* realloc of the host's counted memory; size 0 frees. NULL: p is unchanged. */
void *memory_resize(const memory *m, void *p, size_t old_size, size_t size);

/* ---- text.c: JSON being written ------------------------------------------------------------------------ */

typedef struct text {
    const memory *mem;
    char *p;
    size_t n, cap;
    int failed; /* out of memory, or too long: sticky */
} text;
void text_clear(text *t);
void text_release(text *t);
void text_raw(text *t, const char *z); /* as it is */
void text_bytes(text *t, const char *p, size_t n);
void text_string(text *t, hone_str s); /* quoted; what is not UTF-8 becomes U+FFFD */
void text_number(text *t, double x);   /* null when not finite */
void text_integer(text *t, int64_t x);
void text_value(text *t, const hone_value *v);
/* ,"name":  after the first member */
void text_key(text *t, const char *name, int *first);

/* Members of a map, by name; NULL when absent or not a map. */
const hone_value *member(const hone_value *map, const char *name);
int number_of(const hone_value *v, double *out); /* i64, f64, bool */

/* ---- talk.c -------------------------------------------------------------------------------------------- */

enum { MAX_WORKERS = 64, MAX_ARGV = 64 };

/* The first rows of each of the three tables of settings. */
enum {
    F_FILE,
    F_PROGRAM,
    F_ARGS,
    F_FUNCTION,
    F_SETTINGS,
    F_RETRIES,
    F_START,
    F_MEMORY,
    F_TMP,
    F_PROCESSES,
    F_MORE
};
#define COMMAND_FIELDS                                                                             \
    HONE_PATH("file", NULL, 0, "Python file, script or program; its folder may be read"),          \
        HONE_LIST_OF("program", 0, "what runs the file, or runs instead of one: a list of words"), \
        HONE_LIST_OF("args", 0, "more words behind it"),                                           \
        HONE_STR("function", "", 0, "name in a Python file; else score, compute_score, ..."),      \
        HONE_MAP_OF("settings", 0, "given to the program when it starts"),                         \
        HONE_INT("retries", 1, 0, 100, 0, "of a batch during which the program died"),             \
        HONE_F64("start_timeout", 60, 0.1, 86400, 0, "seconds until its first line"),              \
        HONE_INT("memory_mb", 4096, 16, 1 << 20, 0, "of each of its processes"),                   \
        HONE_INT("tmp_mb", 256, 1, 1 << 20, 0, "of its private temporary folder"),                 \
        HONE_INT("processes", 64, 1, 65536, 0, "processes and threads at one time")

typedef struct program {
    void *process;  /* NULL: not running */
    uint64_t batch; /* number of the last request */
} program;

typedef struct command {
    const hone_host *host;
    memory mem;
    hone_ref process, json;
    const hone_config *cfg;
    const char *kind;
    hone_str argv[MAX_ARGV], read[1];
    size_t n_argv;
    char file[4096];   /* the setting, absolute; "" for none */
    char folder[4096]; /* of it */
    hone_process_spec spec;
    double start_s;
    int retries;
    program programs[MAX_WORKERS];
    size_t n_programs;
    int wants_tokens, seeks; /* what it said of itself */
    uint64_t next_batch;
    text out; /* the request being written */
} command;

/* A parsed answer. */
typedef struct answer {
    void *doc;
    const hone_value *root;
} answer;

/* Reads the settings, starts one program and greets it. On failure everything is released. [control-thread] */
hone_status command_open(command *c, const char *kind, size_t workers, const hone_host *host,
                         const hone_config *cfg);
void command_close(command *c); /* the programs end */
/* Begins the request in c->out with its batch number; the caller adds members and calls command_send. */
void command_begin(command *c, program *p);
/* Closes the request and sends it; the program is started when it does not run. E_IO: it died. */
hone_status command_send(command *c, program *p, const hone_process_wait *w);
/* Its answer to the last request. E_IO: it died; any other failure ends it too, but E_FAIL, which is the program's
 * own {"error": text}. */
hone_status command_receive(command *c, program *p, const hone_process_wait *w, answer *out);
void answer_release(const command *c, answer *a);
void command_stop(const command *c, program *p); /* a new life with the next request */
/* The wait of a call: a little before its deadline, so that what was answered is in time. */
hone_process_wait command_wait(const hone_call *call);
void note_reason(const hone_notes *notes, size_t sample, hone_str reason);
/* Members that samples and items have alike: ,"columns":{...} and ,"messages":[...]. */
void put_row(text *t, const hone_message *messages, size_t n_messages, const hone_column *columns,
             size_t n_columns);

extern const hone_component reward_command, judge_command, source_command;
#endif
