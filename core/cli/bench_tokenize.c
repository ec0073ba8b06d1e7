/* bench_tokenize.c - `hone bench tokenize`: text to ids, in megabytes a second on one thread.
 *
 * The file is encoded whole, again and again for about a second after one warm-up; the best round is the
 * figure. Beside it stands the speed of reading as many bytes once on one thread, which no tokenizer passes. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/bench_yard.h"
#include "cli/out.h"
#include "train/policy.h"

#include <stdio.h>

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

int hone_cli_bench_tokenize(int argc, char **argv)
{
    const char *input = NULL;
    int json = 0;
    double yardstick = 1;
    const hone_arg options[] = {
        {"input", HONE_ARG_STR, &input, "FILE", "the text that is encoded"},
        HONE_CLI_YARD(&yardstick),
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {"hone bench tokenize tiny --input README.md", NULL};
    const hone_args spec = {"bench tokenize",
                            "MODEL|TOKENIZER --input FILE [options]",
                            "Megabytes of text a second to token ids, on one thread.",
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
        hone__yard_json(&yard, &w);
        hone_jw_end(&w);
        printf("%s\n", out.ptr);
        hone_buf_release(&out);
    } else {
        printf("%.1f MB/s: %.2f MB, %zu tokens, %.1f million tokens/s (one thread)\n", rate, mb, n,
               best > 0 ? (double)n / best / 1e6 : 0);
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
