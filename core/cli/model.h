/* model.h - the parts of `hone model` that run or write the model; model.c is the verb itself. */
#ifndef HONE_CORE_CLI_MODEL_H
#define HONE_CORE_CLI_MODEL_H
#include "base/json.h"
#include "cli/env.h"

/* argv[0] is the part's name; each returns the exit code. */
int hone__cli_model_logprobs(int argc, char **argv);
int hone__cli_model_export(int argc, char **argv);
int hone__cli_model_convert(int argc, char **argv);
int hone__cli_model_quantize(int argc, char **argv);
int hone__cli_model_diff(int argc, char **argv);
int hone__cli_model_merge(int argc, char **argv);
/* Is the folder an adapter and no model? What it holds, printed; the exit code. */
int hone__cli_is_adapter(const char *path);
int hone__cli_adapter_info(const char *path, int modules, int json);

/* What quantising lost, over the tokens of a text: P is the original, Q the other. */
typedef struct hone_quality {
    size_t tokens, agree;   /* positions; those where both find the same token likeliest */
    double kl_mean, kl_max; /* sum P log(P/Q), in nats */
    double nll_p, nll_q;    /* mean negative log-likelihood of the text's next token */
} hone_quality;
/* file: NULL for hone's own text. Loads one model after the other: memory is that of one of them, and
 * `tokens` x vocabulary floats. The ids are the original's, or those of bytes when it has no tokenizer. */
hone_status hone__cli_quality(hone_env *env, const char *original, const char *other,
                              const char *file, size_t tokens, uint32_t flags, hone_quality *out);
void hone__cli_quality_print(const hone_quality *q);
void hone__cli_quality_json(const hone_quality *q, hone_jw *j); /* the key "quality" */
#endif
