/* bench_tokenize.c - `hone bench tokenize`: text to ids, in megabytes a second on one thread, and on several.
 *
 * The file is encoded whole, again and again for about a second after one warm-up; the best round is the
 * figure. The same text then goes in parts through 1, 2, ... threads, as `hone tokenize --whole` takes it (parts.h), and
 * gives as many ids. Beside it stands the speed of reading as many bytes once on one thread, which no tokenizer passes. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/bench_yard.h"
#include "cli/out.h"
#include "text/parts.h"
#include "train/policy.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static hone_status measure(const hone_tokenizer *tk, const hone_buf *text, double *best, size_t *n)
{
    hone_tokens ids;
    hone_status s = HONE_OK;
    double begin = hone_now_s();
    hone_tokens_init(&ids, 0);
    for (int round = 0; s >= 0 && (round < 3 || hone_now_s() - begin < 1) && round < 1000;
         round++) {
        double t = hone_now_s();
        hone_tokens_clear(&ids);
        s = hone_tokenizer_encode(tk, hone_buf_str(text), HONE_ENCODE_SPECIAL, &ids);
        t = hone_now_s() - t;
        if (round > 0 && (round == 1 || t < *best))
            *best = t;
    }
    *n = ids.n;
    hone_tokens_release(&ids);
    return s;
}

/* ---- in parts --------------------------------------------------------------------------------------------- */
typedef struct passing {
    const hone_tokenizer *tokenizer;
    hone_str text;
    size_t at;
    atomic_size_t n; /* ids */
} passing;

static hone_status pass_read(void *ctx, void *p, size_t n, size_t *got)
{
    passing *t = ctx;
    size_t left = t->text.len - t->at;
    *got = n < left ? n : left;
    memcpy(p, t->text.ptr + t->at, *got);
    t->at += *got;
    return HONE_OK;
}

static hone_status pass_cut(void *ctx, hone_str text, size_t *at)
{
    const passing *t = ctx;
    return hone_tokenizer_cut(t->tokenizer, text, HONE_ENCODE_SPECIAL, at);
}

static hone_status pass_work(void *ctx, const hone_part *part, hone_buf *out)
{
    passing *t = ctx;
    hone_tokens ids;
    (void)out;
    hone_tokens_init(&ids, 0);
    hone_status s = hone_tokenizer_encode(t->tokenizer, part->text,
                                          HONE_ENCODE_SPECIAL |
                                              (part->number ? HONE_ENCODE_CONTINUES : 0) |
                                              (part->last ? 0 : HONE_ENCODE_GOES_ON),
                                          &ids);
    atomic_fetch_add(&t->n, ids.n);
    hone_tokens_release(&ids);
    return s;
}

static hone_status pass_write(void *ctx, const hone_part *part, hone_str out, hone_status failed)
{
    (void)ctx;
    (void)part;
    (void)out;
    return failed;
}

/* Seconds of the best of some rounds with so many threads; `want` ids must come. */
static hone_status measure_parts(const hone_tokenizer *tk, const hone_buf *text, uint32_t threads,
                                 size_t want, double *best)
{
    hone_pool *pool;
    passing t = {.tokenizer = tk, .text = hone_buf_str(text)};
    size_t size = text->len / (8 * threads);
    hone_parts p = {&t, pass_read, pass_cut, pass_work, pass_write, 1 << 20, HONE_BUF_MAX_DEFAULT,
                    0};
    if (size < p.size)
        p.size = size < 1 << 16 ? 1 << 16 : size;
    HONE_TRY(hone_pool_create(threads, &pool));
    hone_status s = HONE_OK;
    double begin = hone_now_s();
    for (int round = 0; s >= 0 && (round < 3 || hone_now_s() - begin < 0.5) && round < 1000;
         round++) {
        t.at = 0;
        atomic_store(&t.n, 0);
        double took = hone_now_s();
        s = hone_parts_run(&p, pool);
        took = hone_now_s() - took;
        if (s >= 0 && atomic_load(&t.n) != want)
            s = hone_fail(HONE_E_MISBEHAVED, "%zu ids in parts, %zu of the whole",
                          atomic_load(&t.n), want);
        if (round > 0 && (round == 1 || took < *best))
            *best = took;
    }
    hone_pool_destroy(pool);
    return s;
}

int hone_cli_bench_tokenize(int argc, char **argv)
{
    const char *input = NULL;
    int json = 0;
    double yardstick = 1, parts[HONE_POOL_MAX];
    int64_t threads = 0;
    const hone_arg options[] = {
        {"input", HONE_ARG_STR, &input, "FILE", "the text that is encoded"},
        {"threads", HONE_ARG_I64, &threads, "N",
         "and in parts on 1 to N threads (all processors, at most 4)"},
        HONE_CLI_YARD(&yardstick),
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {"hone bench tokenize tiny --input README.md", NULL};
    const hone_args spec = {
        "bench tokenize",
        "MODEL|TOKENIZER --input FILE [options]",
        "Megabytes of text a second to token ids, on one thread and on several.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    hone_registry *registry = NULL;
    hone_text_side *side = NULL;
    hone_registry_opts ro = {.project = "."};
    hone_buf text;
    double best = 0;
    size_t n = 0;
    hone_status s;
    hone_pool *one = NULL;
    hone_yard yard;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!input)
        return hone_cli_usage("bench tokenize", "--input FILE is needed");
    if (threads < 0 || threads > HONE_POOL_MAX)
        return hone_cli_usage("bench tokenize", "--threads is 0 to 256");
    hone_buf_init(&text, HONE_BUF_MAX_DEFAULT);
    HONE_TRY_GOTO(hone__yard_check(yardstick), done);
    HONE_TRY_GOTO(hone_file_read(input, HONE_BUF_MAX_DEFAULT, &text), done);
    HONE_TRY_GOTO(hone_registry_open(&ro, &registry), done);
    hone_env env = {.registry = registry};
    HONE_TRY_GOTO(hone_text_side_open(&env, rest.v[0], &side), done);
    if (!side->tokenizer_instance || text.len == 0) {
        s = text.len ? hone_fail(HONE_E_NOT_FOUND, "%s: it has no tokenizer", rest.v[0])
                     : hone_fail(HONE_E_INVALID, "%s: it is empty", input);
        goto done;
    }
    HONE_TRY_GOTO(hone_pool_create(1, &one), done);
    hone__yard_before(&yard, one, hone__yard_buffer((double)text.len), yardstick);
    HONE_TRY_GOTO(measure(&side->tokenizer, &text, &best, &n), done);
    hone__yard_after(&yard);
    if (!threads) {
        hone_pool *all;
        HONE_TRY_GOTO(hone_pool_create(0, &all), done);
        threads = hone_pool_threads(all) < 4 ? hone_pool_threads(all) : 4;
        hone_pool_destroy(all);
    }
    for (int64_t i = 0; i < threads; i++)
        HONE_TRY_GOTO(measure_parts(&side->tokenizer, &text, (uint32_t)i + 1, n, &parts[i]), done);
    const double mb = (double)text.len / 1e6, rate = best > 0 ? mb / best : 0;
    const double limit = 1e3 * hone__yard_read(&yard), of_limit = limit > 0 ? rate / limit : 0;
    if (json) {
        hone_buf out;
        hone_jw w;
        hone_buf_init(&out, 1 << 16);
        hone_jw_init(&w, &out, 0);
        hone_jw_map(&w);
        hone_jw_kf64(&w, "mb_per_s", rate);
        hone_jw_ki64(&w, "tokens", (int64_t)n);
        hone_jw_kf64(&w, "mb", mb);
        hone_jw_kf64(&w, "limit_mb_per_s", limit);
        hone_jw_kf64(&w, "of_limit", of_limit);
        hone_jw_key(&w, "parts_mb_per_s");
        hone_jw_list(&w);
        for (int64_t i = 0; i < threads; i++)
            hone_jw_f64(&w, parts[i] > 0 ? mb / parts[i] : 0);
        hone_jw_end(&w);
        hone__yard_json(&yard, &w);
        hone_jw_end(&w);
        printf("%s\n", out.ptr);
        hone_buf_release(&out);
    } else {
        printf("%.1f MB/s: %.2f MB, %zu tokens, %.1f million tokens/s (one thread)\n", rate, mb, n,
               best > 0 ? (double)n / best / 1e6 : 0);
        for (int64_t i = 0; i < threads; i++)
            printf("%.1f MB/s in parts on %lld thread%s\n", parts[i] > 0 ? mb / parts[i] : 0,
                   (long long)i + 1, i ? "s" : "");
        printf("%.2f %% of reading as many bytes once\n", 100 * of_limit);
        hone__yard_print(&yard);
    }
done:
    hone_pool_destroy(one);
    hone_text_side_unref(side);
    hone_registry_close(registry);
    hone_buf_release(&text);
    return hone_cli_fail(s);
}
