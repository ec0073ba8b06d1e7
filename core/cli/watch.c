/* watch.c - `hone watch RUN`: a run's numbers while it runs.
 *
 * In a terminal a block of lines that is drawn again in place: where the run stands, a curve of small blocks for each
 * number that matters, alarms. In a pipe a line a step and a line an alarm, for grep and logs. It reads the run's files and
 * takes no lock; a resumed run that was cut back is followed from there. It ends when the run does. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/term.h"
#include "cli/verbs.h"
#include "web/follow.h"
#include "web/html.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { ALARMS_SHOWN = 3, CURVE_MAX = 120 };
typedef struct watching {
    const char *dir;
    hone__follow metrics, timings;
    hone_arena arena; /* of run.json as it was read last */
    hone_value meta;
    hone_run_state state;
    size_t alarms_told;
    size_t drawn; /* lines of the block on the screen */
} watching;

/* What a line shows, in this order, as far as the run has it. */
static const struct {
    const char *key, *name;
} shown[] = {{"reward/mean", "reward"},
             {"loss", "loss"},
             {"entropy", "entropy"},
             {"kl/k1", "kl"},
             {"length/mean", "length"},
             {"length/truncated", "cut"},
             {"group/zero_std", "equal groups"},
             {"rewards/accuracy", "accuracy"},
             {"grad_norm", "grad norm"},
             {"lr", "lr"}};
enum { SHOWN = sizeof shown / sizeof *shown };

static double at(const hone__web_table *t, const char *key, size_t row)
{
    const double *v = hone__web_column_get(t, key);
    return v && row < t->n_rows ? v[row] : (double)NAN;
}

/* How many steps the recipe was asked for, 0: it did not say. */
static double total_steps(const watching *w)
{
    const hone_value *v = hone_value_path(&w->meta, "params.steps");
    return v && v->type == HONE_I64 ? (double)v->u.i64 : v && v->type == HONE_F64 ? v->u.f64 : 0;
}

/* Of a policy loss on its own samples only the gradient means something: its value is about 0. */
static int left_aside(const hone__web_table *t, const char *key)
{
    return strcmp(key, "loss") == 0 && hone__web_column_get(t, "reward/mean");
}

static hone_status look(watching *w, size_t *fresh)
{
    size_t more;
    hone_arena_clear(&w->arena);
    HONE_TRY(hone_run_meta_read(w->dir, &w->arena, &w->meta));
    HONE_TRY(hone_run_state_get(w->dir, &w->meta,
                                &w->state)); /* first: what it wrote at its end is read then */
    HONE_TRY(hone__follow_look(&w->metrics, fresh));
    return hone__follow_look(&w->timings, &more);
}

/* ---- a line a step ---------------------------------------------------------------------------------- */

static void print_step(const watching *w, size_t row)
{
    const hone__web_table *t = &w->metrics.table, *clock = &w->timings.table;
    char x[32];
    printf("step %.0f", t->step[row]);
    for (size_t i = 0; i < SHOWN; i++) {
        const double v = at(t, shown[i].key, row);
        if (!isfinite(v) || left_aside(t, shown[i].key))
            continue;
        hone__web_number(v, x);
        printf("  %s %s", shown[i].name, x);
    }
    for (size_t i = 0; i < t->n_cols; i++) { /* evaluations are rare: where there are any */
        if (strncmp(t->cols[i].name, "eval/", 5) != 0 || !isfinite(t->cols[i].v[row]))
            continue;
        hone__web_number(t->cols[i].v[row], x);
        printf("  %s %s", t->cols[i].name, x);
    }
    for (size_t i = clock->n_rows; i > 0 && clock->step[i - 1] >= t->step[row]; i--) {
        const double v = at(clock, "tokens_per_s", i - 1);
        if (clock->step[i - 1] == t->step[row] && isfinite(v))
            printf("  %.0f tokens/s", v);
    }
    printf("\n");
}

static const hone_value *alarm_of(const watching *w, size_t i, hone_str *text, int64_t *step)
{
    const hone_value *list = hone_value_get(&w->meta, "alarms");
    if (!list || list->type != HONE_LIST || i >= list->u.list.n)
        return NULL;
    *text = (hone_str){"", 0};
    *step = 0;
    if (hone_value_string(&list->u.list.items[i], "text", *text, text) < 0 ||
        hone_value_i64(&list->u.list.items[i], "step", 0, step) < 0)
        *text = (hone_str){"(cannot be read)", 16};
    return &list->u.list.items[i];
}

/* Text of a file for the terminal: one line, no control characters. */
static void clean(hone_str s, char *out, size_t size)
{
    size_t n = s.len < size - 1 ? s.len : size - 1;
    while (n && n < s.len && ((unsigned char)s.ptr[n] & 0xC0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f ? ' ' : s.ptr[i]);
    out[n] = '\0';
}

static void print_alarms(watching *w)
{
    hone_str text;
    int64_t step;
    char line[1024];
    size_t n = 0;
    while (alarm_of(w, n, &text, &step))
        n++;
    if (n < w->alarms_told) /* a resumed run has not come to them yet */
        w->alarms_told = n;
    for (size_t i = w->alarms_told; i < n; i++) {
        alarm_of(w, i, &text, &step);
        clean(text, line, sizeof line);
        printf("alarm: step %" PRId64 ": %s\n", step, line);
    }
    w->alarms_told = n;
}

static void print_end(const watching *w)
{
    char state[64];
    hone_run_state_text(&w->state, state);
    printf("%s", state);
    if (w->metrics.table.n_rows)
        printf(" after step %.0f", w->metrics.table.step[w->metrics.table.n_rows - 1]);
    printf("\n");
    if (w->metrics.passed_over)
        printf("%zu lines of metrics.jsonl cannot be read and were passed over\n",
               w->metrics.passed_over);
}

/* ---- the block of a terminal -------------------------------------------------------------------------- */

typedef struct block {
    size_t width, height, lines;
} block;

/* One line, cut where the terminal ends. */
static void put(block *b, const char *text)
{
    if (b->lines + 1 >= b->height)
        return;
    printf("\033[K");
    hone_term_cut(text, b->width > 1 ? b->width - 1 : 0);
    printf("\n");
    b->lines++;
}

/* `room` blocks, each the mean of its stretch of the last steps; at most 8 a block. */
static void curve(const hone__web_table *t, const double *v, size_t room,
                  char out[CURVE_MAX * 4 + 1])
{
    static const char *const level[8] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                         "\u2585", "\u2586", "\u2587", "\u2588"};
    double mean[CURVE_MAX], lo = HUGE_VAL, hi = -HUGE_VAL;
    room = room > CURVE_MAX ? CURVE_MAX : room;
    const size_t n = t->n_rows, cells = n < room ? n : room;
    for (size_t c = 0; c < cells; c++) {
        double sum = 0, k = 0;
        for (size_t i = c * n / cells; i < (c + 1) * n / cells; i++) {
            sum += isfinite(v[i]) ? v[i] : 0;
            k += isfinite(v[i]) != 0;
        }
        mean[c] = k > 0 ? sum / k : (double)NAN;
        lo = mean[c] < lo ? mean[c] : lo;
        hi = mean[c] > hi ? mean[c] : hi;
    }
    size_t k = 0;
    for (size_t c = 0; c < cells; c++) {
        const int to = hi > lo ? (int)((mean[c] - lo) / (hi - lo) * 7.999) : 3;
        const char *cell = isfinite(mean[c]) ? level[to < 0 ? 0 : to > 7 ? 7 : to] : " ";
        k += (size_t)snprintf(out + k, CURVE_MAX * 4 + 1 - k, "%s", cell);
    }
    out[k] = '\0';
}

static double mean_of_last(const hone__web_table *t, const char *key, size_t n)
{
    double sum = 0, k = 0;
    for (size_t i = t->n_rows; i > 0 && n > 0; i--) {
        const double v = at(t, key, i - 1);
        if (!isfinite(v))
            continue;
        sum += v;
        k++;
        n--;
    }
    return k > 0 ? sum / k : (double)NAN;
}

static void put_head(const watching *w, block *b)
{
    const hone__web_table *t = &w->metrics.table;
    const double total = total_steps(w), each = mean_of_last(&w->timings.table, "time/total", 20),
                 rate = mean_of_last(&w->timings.table, "tokens_per_s", 20),
                 step = t->n_rows ? t->step[t->n_rows - 1] : 0;
    char line[400], state[64], left[32] = "";
    hone_str recipe = {"", 0}, name = {"", 0};
    char shown_name[128];
    (void)hone_value_string(&w->meta, "recipe", recipe, &recipe);
    (void)hone_value_string(&w->meta, "name", name, &name);
    clean(name, shown_name, sizeof shown_name);
    hone_run_state_text(&w->state, state);
    snprintf(line, sizeof line, "%s  %s", shown_name, hone_path_base(w->dir));
    put(b, line);
    if (total > step && isfinite(each) && w->state.what == HONE_RUN_RUNNING)
        hone__web_duration((total - step) * each, left);
    int n = snprintf(line, sizeof line, "%s  step %.0f", state, step);
    if (total > 0)
        n += snprintf(line + n, sizeof line - (size_t)n, "/%.0f", total);
    if (left[0])
        n += snprintf(line + n, sizeof line - (size_t)n, "  %s left", left);
    if (isfinite(rate))
        snprintf(line + n, sizeof line - (size_t)n, "  %.0f tokens/s", rate);
    put(b, line);
}

static void put_number(block *b, const hone__web_table *t, const char *key, const char *name)
{
    const double *v = hone__web_column_get(t, key);
    const size_t label = b->width < 60 ? 12 : 24;
    char now[32], blocks[CURVE_MAX * 4 + 1], line[CURVE_MAX * 4 + 200];
    if (!v || !isfinite(mean_of_last(t, key, 1)) || left_aside(t, key))
        return;
    hone__web_number(mean_of_last(t, key, 1), now);
    const size_t room = b->width > label + 16 ? b->width - label - 13 : 4;
    curve(t, v, room, blocks);
    snprintf(line, sizeof line, "%-*.*s %9s  %s", (int)label, (int)label, name, now, blocks);
    put(b, line);
}

static void put_alarms(const watching *w, block *b)
{
    hone_str text;
    int64_t step;
    char line[1200], words[1024];
    size_t n = 0;
    while (alarm_of(w, n, &text, &step))
        n++;
    for (size_t i = n > ALARMS_SHOWN ? n - ALARMS_SHOWN : 0; i < n; i++) {
        alarm_of(w, i, &text, &step);
        clean(text, words, sizeof words);
        snprintf(line, sizeof line, "alarm, step %" PRId64 ": %s", step, words);
        for (const char *p = line; *p;) { /* broken at blanks */
            const size_t most = b->width > 1 ? b->width - 1 : 79;
            size_t k = strlen(p);
            if (k > most) {
                for (k = most; k > most / 2 && p[k] != ' ';)
                    k--;
                while (k > 1 && ((unsigned char)p[k] & 0xC0) == 0x80)
                    k--;
            }
            char piece[1200];
            snprintf(piece, sizeof piece, "%.*s", (int)k, p);
            put(b, piece);
            p += k;
            while (*p == ' ')
                p++;
        }
    }
}

static void draw(watching *w)
{
    struct winsize size;
    block b = {.width = hone_term_width(), .height = 24, .lines = 0};
    const hone__web_table *t = &w->metrics.table;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 2) {
        b.height = size.ws_row;
        b.width = size.ws_col > 7 ? size.ws_col
                                  : b.width; /* what is narrower is cut, not wrapped */
    }
    if (w->drawn)
        printf("\033[%zuA", w->drawn);
    put_head(w, &b);
    for (size_t i = 0; i < SHOWN; i++)
        put_number(&b, t, shown[i].key, shown[i].name);
    for (size_t i = 0; i < t->n_cols; i++) {
        if (strncmp(t->cols[i].name, "eval/", 5) == 0)
            put_number(&b, t, t->cols[i].name, t->cols[i].name);
    }
    put_alarms(w, &b);
    printf("\033[J");
    fflush(stdout);
    w->drawn = b.lines;
}

/* ---- the verb ------------------------------------------------------------------------------------------- */

static void wait_for(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds,
                         .tv_nsec = (long)((seconds - floor(seconds)) * 1e9)};
    nanosleep(&t, NULL);
}

static hone_status follow(watching *w, int64_t lines, double every)
{
    const int screen = isatty(STDOUT_FILENO);
    const hone__web_table *t = &w->metrics.table;
    for (int first = 1;; first = 0) {
        size_t fresh = 0;
        const double before = t->n_rows ? t->step[t->n_rows - 1] : 0;
        HONE_TRY(look(w, &fresh));
        if (screen) {
            draw(w);
        } else {
            const size_t n = t->n_rows;
            if (first && lines >= 0 && fresh > (size_t)lines)
                fresh = (size_t)lines;
            if ((n ? t->step[n - 1] : 0) < before)
                printf("the run went back to step %.0f\n", n ? t->step[n - 1] : 0);
            for (size_t i = n - fresh; i < n; i++)
                print_step(w, i);
            print_alarms(w);
        }
        if (w->state.what != HONE_RUN_RUNNING)
            break;
        if (!screen && fflush(stdout) != 0) /* the reader has gone */
            return hone_fail_errno("cannot write");
        wait_for(every);
    }
    print_end(w);
    return HONE_OK;
}

int hone_cli_watch(int argc, char **argv)
{
    static int64_t lines = 10;
    static double every = 1;
    static const hone_arg options[] = {
        {"lines", HONE_ARG_I64, &lines, "N", "in a pipe: how many of the steps so far (10)"},
        {"every", HONE_ARG_F64, &every, "S", "seconds between looks (1)"},
        {0}};
    static const char *const examples[] = {
        "hone watch runs/grpo-20260131-235959-1a2b",
        "hone watch runs/grpo-20260131-235959-1a2b --lines 0 | grep alarm", NULL};
    static const hone_args spec = {"watch",
                                   "RUN [options]",
                                   "Shows a run's numbers and alarms while it runs: a block that "
                                   "is drawn again in a terminal,\n"
                                   "a line a step in a pipe. Ends when the run does; of one that "
                                   "is over it shows how it ended.",
                                   options,
                                   examples,
                                   1,
                                   1};
    hone_rest rest;
    watching w = {0};
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!(every >= 0.05 && every <= 3600))
        return hone_cli_usage("watch", "--every is a number of seconds, 0.05 to 3600");
    if (lines < 0)
        return hone_cli_usage("watch", "--lines is 0 or more");
    w.dir = rest.v[0];
    hone_arena_init(&w.arena, 0);
    char *m = hone_path_join(w.dir, "metrics.jsonl"), *t = hone_path_join(w.dir, "timings.jsonl");
    hone_status s = m && t ? hone__follow_open(&w.metrics, m) : HONE_E_NOMEM;
    if (s >= 0)
        s = hone__follow_open(&w.timings, t);
    if (s >= 0)
        s = follow(&w, lines, every);
    hone_free(m);
    hone_free(t);
    hone__follow_release(&w.metrics);
    hone__follow_release(&w.timings);
    hone_arena_release(&w.arena);
    return hone_cli_finish(hone_cli_fail(s));
}
