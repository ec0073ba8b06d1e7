/* command.h - what the reward, the judge and the source "command" share: text, settings, a program and its lives.
 *
 * The protocol of lines is in docs/command.md. See talk.c. */
#ifndef HONE_COMMAND_H
#define HONE_COMMAND_H
#include "hone/judge.h"
#include "hone/reward.h"

#include "grow.h" /* memory: plugins/source/sources */

/* ---- text.c: JSON being written ------------------------------------------------------------------------ */

typedef struct jtext {
    const memory *mem;
    char *p;
    size_t n, cap;
    int failed; /* out of memory, or too long: sticky */
} jtext;
void jtext_clear(jtext *t);
void jtext_release(jtext *t);
void jtext_raw(jtext *t, const char *z); /* as it is */
void jtext_bytes(jtext *t, const char *p, size_t n);
void jtext_string(jtext *t, hone_str s); /* quoted; what is not UTF-8 becomes U+FFFD */
void jtext_number(jtext *t, double x);   /* null when not finite */
void jtext_integer(jtext *t, int64_t x);
void jtext_value(jtext *t, const hone_value *v);
/* ,"name":  after the first member */
void jtext_key(jtext *t, const char *name, int *first);

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
    char why[512]; /* the last failure */
    jtext hello;   /* its greeting */
    jtext out;     /* the request being written */
} command;

/* A parsed answer. */
typedef struct answer {
    void *doc;
    const hone_value *root;
} answer;

/* Fetches what the host gives. The caller then sets argv, spec, hello, retries and calls command_ready, which starts
 * one program and greets it. On failure command_close releases everything. [control-thread] */
hone_status command_init(command *c, const char *kind, size_t workers, const hone_host *host,
                         const hone_config *cfg);
hone_status command_ready(command *c);
/* All of it, from settings that begin with COMMAND_FIELDS. On failure everything is released. [control-thread] */
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
/* Fails with that text, kept in c->why. */
hone_status command_fail(command *c, hone_status s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void command_stop(const command *c, program *p); /* a new life with the next request */
/* The wait of a call: a little before its deadline, so that what was answered is in time. */
hone_process_wait command_wait(const hone_call *call);
void note_reason(const hone_notes *notes, size_t sample, hone_str reason);
/* Members that samples and items have alike: ,"columns":{...} and ,"messages":[...]. */
void put_row(jtext *t, const hone_message *messages, size_t n_messages, const hone_column *columns,
             size_t n_columns);

#define COMMAND_CAPS                                                                               \
    (HONE_CAP_SLOW | HONE_CAP_NET | HONE_CAP_FS_READ | HONE_CAP_FS_WRITE | HONE_CAP_EXEC)
extern const char *const command_needs[];
/* ---- reward.c: also what unit_test is made of ------------------------------------------------------------ */

typedef struct reward {
    command c;
    int independent;
    int guilty;     /* a sample that alone kills the program has the score 0, and no error */
    int tells_time; /* requests say how many seconds are left */
} reward;
extern const hone_reward_v1 reward_table;
/* A zeroed instance with its memory. */
hone_status reward_new(const hone_host *host, reward **out);
void reward_destroy(void *self);

extern const hone_component reward_command, judge_command, source_command, reward_unit_test;
#endif
