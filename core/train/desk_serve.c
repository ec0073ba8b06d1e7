/* desk_serve.c - what is computed for a request at the desk. On the control thread.
 *
 * A prompt with its labels is a tree of the segment forest: the prompt is computed once, the labels are its children, teacher-forced.
 * Answers come from an engine of the desk's own (desk_models.c), in one batch. An item that is longer than the model's positions
 * gets an empty answer and costs the others nothing.
 *
 * What a message says is text. Where it spells a special token ("<|im_end|>" in the answer to be judged), a space behind the first
 * character keeps the template's reader from taking it for one; plain prompts are read without special tokens. */
#include "train/desk_private.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/math64.h"
#include "hone/reward.h"
#include "nn/value_head.h"
#include "train/hidden.h"
#include "train/update.h"
#include "train/values.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- ids ----------------------------------------------------------------------------------------------------- */

static hone_status need_tokenizer(const hone_policy *p)
{
    return p->text && p->text->tokenizer_instance
               ? HONE_OK
               : hone_fail(HONE_E_INVALID, "%s has no tokenizer: give ids", p->name);
}

/* `text` without special tokens, in *out (borrowed, or of the arena). */
static hone_status plain(const hone_policy *p, hone_str text, hone_arena *a, hone_str *out)
{
    const hone_tokenizer *t = &p->text->tokenizer;
    *out = text;
    for (int round = 0; round < 8; round++) {
        hone_tokens ids;
        hone_buf b;
        size_t from = 0, found = 0;
        hone_tokens_init(&ids, HONE_TOKENS_SPANS);
        hone_buf_init(&b, (size_t)1 << 28);
        hone_status s = hone_tokenizer_encode(t, *out, HONE_ENCODE_SPECIAL, &ids);
        for (size_t i = 0; s >= 0 && i < ids.n; i++) {
            const size_t at = (size_t)ids.spans[i].begin + 1;
            if (!hone_tokenizer_is_special(t, ids.ids[i]) || ids.spans[i].end <= at || at <= from)
                continue;
            found++;
            s = hone_buf_add(&b, out->ptr + from, at - from);
            if (s >= 0)
                s = hone_buf_addc(&b, ' ');
            from = at;
        }
        if (s >= 0 && found)
            s = hone_buf_add(&b, out->ptr + from, out->len - from);
        if (s >= 0 && found) {
            *out = hone_arena_str(a, hone_buf_str(&b));
            s = out->ptr ? HONE_OK : HONE_E_NOMEM;
        }
        hone_tokens_release(&ids);
        hone_buf_release(&b);
        if (s < 0 || !found)
            return s;
    }
    return hone_fail(HONE_E_INVALID, "a message consists of special tokens");
}

/* Ids of a conversation (`answer`: the model's turn begins) or of a plain text, then of `begin`. */
static hone_status prompt_ids(const hone_policy *p, hone_arena *a, hone_str text,
                              const hone_message *messages, size_t n, hone_str begin, int answer,
                              hone_tokens *out)
{
    hone_chat_options opt = {.add_generation_prompt = answer};
    HONE_TRY(need_tokenizer(p));
    const hone_tokenizer *t = &p->text->tokenizer;
    if (messages) {
        hone_message *copy = hone_arena_calloc(a, n ? n : 1, sizeof *copy);
        hone_value list;
        if (!copy)
            return HONE_E_NOMEM;
        if (!p->text->chat) {
            hone_fail(HONE_E_INVALID, "%s has no chat template, and messages were given", p->name);
            return hone_fail_hint("give the prompt as text");
        }
        for (size_t i = 0; i < n; i++) {
            copy[i].role = messages[i].role;
            HONE_TRY(plain(p, messages[i].content, a, &copy[i].content));
        }
        HONE_TRY(hone_chat_messages(copy, n, a, &list));
        HONE_TRY(hone_chat_prompt(p->text->chat, t, &list, &opt, out));
    } else if (text.len)
        HONE_TRY(hone_tokenizer_encode(t, text, HONE_ENCODE_ADD, out));
    if (begin.len)
        HONE_TRY(hone_tokenizer_encode(t, begin, out->n ? HONE_ENCODE_CONTINUES : 0, out));
    for (size_t i = 0; i < out->n; i++)
        if (out->ids[i] < 0 || out->ids[i] >= p->model->info.vocab_size)
            return hone_fail(HONE_E_RANGE, "id %d is outside the vocabulary of %s", out->ids[i],
                             p->name);
    if (!out->n)
        return hone_fail(HONE_E_INVALID, "an item without a prompt");
    return HONE_OK;
}

static hone_status item_failed(size_t i)
{
    return hone_fail_at("item %zu", i);
}

static int fits(const hone_policy *p, size_t n)
{
    const int64_t most = p->model->info.max_positions;
    return most <= 0 || n <= (size_t)most;
}

/* ---- log-probs --------------------------------------------------------------------------------------------- */

static hone_status ids_of(const hone_policy *p, hone_str text, const int32_t *ids, size_t n,
                          int prompt, hone_tokens *out)
{
    hone_tokens_init(out, 0);
    if (ids)
        HONE_TRY(hone_tokens_add(out, ids, NULL, NULL, n));
    else if (prompt && text.len)
        HONE_TRY(hone_policy_encode_text(p, text, out));
    else if (text.len) {
        HONE_TRY(need_tokenizer(p));
        HONE_TRY(hone_tokenizer_encode(&p->text->tokenizer, text, 0, out));
    }
    for (size_t i = 0; i < out->n; i++)
        if (out->ids[i] < 0 || out->ids[i] >= p->model->info.vocab_size)
            return hone_fail(HONE_E_RANGE, "id %d is outside the vocabulary of %s", out->ids[i],
                             p->name);
    return HONE_OK;
}

static hone_status fill_trees(hone__request *q, const hone_policy *p, hone_tokens *prompts,
                              hone_train_tree *trees, hone_train_seq *seqs, size_t *total)
{
    hone__logprobs *out = q->answer;
    for (size_t i = 0; i < q->n; i++) {
        const hone_score_item *it = hone__request_item(q, i);
        HONE_TRY(ids_of(p, it->prompt, it->prompt_ids, it->n_prompt_ids, 1, &prompts[i]));
        HONE_TRY(ids_of(p, it->completion, it->ids, it->n_ids, 0, &out[i].ids));
        const size_t n = prompts[i].n + out[i].ids.n;
        if (!fits(p, n))
            return hone_fail(HONE_E_RANGE, "item %zu has %zu tokens, %s has %lld positions", i, n,
                             p->name, (long long)p->model->info.max_positions);
        seqs[i] = (hone_train_seq){.ids = out[i].ids.ids, .n = out[i].ids.n};
        trees[i] = (hone_train_tree){prompts[i].ids, prompts[i].n, &seqs[i], out[i].ids.n != 0};
        *total += out[i].ids.n;
    }
    return HONE_OK;
}

hone_status hone__serve_logprobs(hone__request *q, const hone__desk_model *m)
{
    size_t total = 0;
    hone__logprobs *answer = q->answer = hone_arena_calloc(&q->arena, q->n, sizeof *answer);
    hone_tokens *prompts = hone_arena_calloc(&q->arena, q->n, sizeof *prompts);
    hone_train_tree *trees = hone_arena_calloc(&q->arena, q->n, sizeof *trees);
    hone_train_seq *seqs = hone_arena_calloc(&q->arena, q->n, sizeof *seqs);
    if (!answer || !prompts || !trees || !seqs)
        return HONE_E_NOMEM;
    hone_status s = fill_trees(q, m->p, prompts, trees, seqs, &total);
    float *out = s < 0 ? NULL : hone_arena_calloc(&q->arena, total ? total : 1, sizeof *out);
    if (s >= 0 && !out)
        s = HONE_E_NOMEM;
    if (s >= 0 && total)
        s = hone_policy_logprobs(m->p, trees, q->n, 1.0, m->adapters, 0, out);
    for (size_t i = 0, at = 0; s >= 0 && i < q->n; at += answer[i].ids.n, i++)
        answer[i].logprobs = out + at;
    for (size_t i = 0; i < q->n; i++)
        hone_tokens_release(&prompts[i]);
    return s;
}

/* ---- labels ------------------------------------------------------------------------------------------------ */

/* One item's part of the work. */
typedef struct labelled {
    hone_tokens prompt;
    hone_tokens *labels; /* n */
    hone_train_seq *seqs;
    size_t n, n_tokens;
} labelled;

/* Do the tokens of a begin those of b (or equal them)? */
static int begins(const hone_tokens *a, const hone_tokens *b)
{
    return a->n <= b->n && memcmp(a->ids, b->ids, a->n * sizeof *a->ids) == 0;
}

static hone_status read_labels(const hone_policy *p, hone_arena *a, const hone_label_item *it,
                               labelled *l)
{
    if (!it->n_labels)
        return hone_fail(HONE_E_INVALID, "no label was given");
    HONE_TRY(prompt_ids(p, a, it->prompt, it->messages, it->n_messages, it->begin, 1, &l->prompt));
    l->labels = hone_arena_calloc(a, it->n_labels, sizeof *l->labels);
    l->seqs = hone_arena_calloc(a, it->n_labels, sizeof *l->seqs);
    if (!l->labels || !l->seqs)
        return HONE_E_NOMEM;
    l->n = it->n_labels; /* from here on they are released */
    l->n_tokens = l->prompt.n;
    for (size_t k = 0; k < l->n; k++) {
        hone_tokens *t = &l->labels[k];
        hone_tokens_init(t, 0);
        HONE_TRY(
            hone_tokenizer_encode(&p->text->tokenizer, it->labels[k], HONE_ENCODE_CONTINUES, t));
        if (!t->n)
            return hone_fail(HONE_E_INVALID, "label %zu is empty", k + 1);
        for (size_t j = 0; j < k; j++)
            if (t->n == l->labels[j].n && begins(t, &l->labels[j]))
                return hone_fail(HONE_E_INVALID, "labels %zu and %zu are the same tokens", j + 1,
                                 k + 1);
        l->seqs[k] = (hone_train_seq){.ids = t->ids, .n = t->n};
        l->n_tokens += t->n;
    }
    return HONE_OK;
}

/* p[k]: of all texts that begin with label k. What goes on as another label is taken off, the next longer ones each whole. */
static void take_off_longer(const labelled *l, const double *p, double *logprobs)
{
    for (size_t k = 0; k < l->n; k++) {
        double left = p[k];
        for (size_t j = 0; j < l->n; j++) {
            int next = j != k && begins(&l->labels[k], &l->labels[j]);
            for (size_t b = 0; next && b < l->n; b++) /* k, b, j: b takes j off */
                if (b != k && b != j && begins(&l->labels[k], &l->labels[b]) &&
                    begins(&l->labels[b], &l->labels[j]))
                    next = 0;
            if (next)
                left -= p[j];
        }
        if (left != p[k])
            logprobs[k] = left > 0 ? hone_math_log(left) : -745; /* the least that has an exp */
    }
}

hone_status hone__serve_labels(hone__request *q, const hone__desk_model *m)
{
    size_t total = 0, n_trees = 0, most = 0, at = 0;
    hone__labels *answer = q->answer = hone_arena_calloc(&q->arena, q->n, sizeof *answer);
    labelled *l = hone_arena_calloc(&q->arena, q->n, sizeof *l);
    hone_train_tree *trees = hone_arena_calloc(&q->arena, q->n, sizeof *trees);
    hone_status s = answer && l && trees ? HONE_OK : HONE_E_NOMEM;
    float *out = NULL;
    double *p = NULL;
    for (size_t i = 0; s >= 0 && i < q->n; i++) {
        size_t longest = 0;
        s = read_labels(m->p, &q->arena, hone__request_item(q, i), &l[i]);
        if (s < 0) {
            item_failed(i);
            break;
        }
        for (size_t k = 0; k < l[i].n; k++)
            longest = l[i].labels[k].n > longest ? l[i].labels[k].n : longest;
        if (!fits(m->p, l[i].prompt.n + longest))
            continue;
        answer[i].n = l[i].n;
        answer[i].n_tokens = l[i].n_tokens;
        answer[i].logprobs = hone_arena_calloc(&q->arena, l[i].n, sizeof *answer[i].logprobs);
        s = answer[i].logprobs ? HONE_OK : HONE_E_NOMEM;
        trees[n_trees++] = (hone_train_tree){l[i].prompt.ids, l[i].prompt.n, l[i].seqs, l[i].n};
        total += l[i].n_tokens - l[i].prompt.n;
        most = l[i].n > most ? l[i].n : most;
    }
    if (s >= 0 && total) {
        out = hone_arena_calloc(&q->arena, total, sizeof *out);
        p = hone_arena_calloc(&q->arena, most, sizeof *p);
        s = out && p ? hone_policy_logprobs(m->p, trees, n_trees, 1.0, m->adapters, 0, out)
                     : HONE_E_NOMEM;
    }
    for (size_t i = 0; s >= 0 && i < q->n; i++) {
        for (size_t k = 0; k < answer[i].n; k++) {
            double sum = 0;
            for (size_t j = 0; j < l[i].labels[k].n; j++)
                sum += (double)out[at++];
            answer[i].logprobs[k] = sum < -745 ? -745 : sum;
            p[k] = hone_math_exp(sum);
        }
        if (answer[i].n)
            take_off_longer(&l[i], p, answer[i].logprobs);
    }
    for (size_t i = 0; l && i < q->n; i++) {
        hone_tokens_release(&l[i].prompt);
        for (size_t k = 0; k < l[i].n; k++)
            hone_tokens_release(&l[i].labels[k]);
    }
    return s;
}

/* ---- answers ----------------------------------------------------------------------------------------------- */

typedef struct answering {
    hone__request *q;
    const size_t *item_of; /* by prompt */
} answering;

static hone_status keep_answer(void *ctx, const hone_completion *c)
{
    const answering *x = ctx;
    hone__answer *a = (hone__answer *)x->q->answer + x->item_of[c->prompt];
    hone_arena *arena = &x->q->arena;
    a->ids = hone_arena_calloc(arena, c->n + 1, sizeof *a->ids);
    a->logprobs = hone_arena_calloc(arena, c->n + 1, sizeof *a->logprobs);
    a->text = hone_arena_str(arena, c->text);
    if (!a->ids || !a->logprobs || (c->text.len && !a->text.ptr))
        return HONE_E_NOMEM;
    memcpy(a->ids, c->ids, c->n * sizeof *a->ids);
    memcpy(a->logprobs, c->logprob, c->n * sizeof *a->logprobs);
    a->n = c->n;
    a->finish = c->finish;
    return HONE_OK;
}

static int same_rules(const hone_answer_item *a, const hone_answer_item *b)
{
    return hone_str_same(a->grammar, b->grammar) && hone_str_same(a->schema, b->schema);
}

static hone_status grammar_of(const hone_answer_item *it, hone_grammar **out)
{
    if (it->grammar.len && it->schema.len)
        return hone_fail(HONE_E_USAGE, "grammar and schema exclude each other");
    if (it->grammar.len)
        return hone_grammar_parse(it->grammar, "grammar", out);
    return it->schema.len ? hone_grammar_schema(it->schema, "schema", out) : HONE_OK;
}

static hone_status read_answers(hone__request *q, const hone_policy *p, hone_tokens *ids,
                                hone_grammar **grammars, hone_gen_prompt *prompts, size_t *item_of,
                                size_t *n_prompts)
{
    hone__answer *answer = q->answer;
    for (size_t i = 0; i < q->n; i++) {
        const hone_answer_item *it = hone__request_item(q, i);
        if (prompt_ids(p, &q->arena, it->prompt, it->messages, it->n_messages, it->begin, 1,
                       &ids[i]) < 0)
            return item_failed(i);
        if (i && same_rules(it, hone__request_item(q, i - 1)))
            grammars[i] = grammars[i - 1] ? hone_grammar_addref(grammars[i - 1]) : NULL;
        else if (grammar_of(it, &grammars[i]) < 0)
            return item_failed(i);
        answer[i] = (hone__answer){.finish = HONE_FINISH_LENGTH, .n_prompt = ids[i].n};
        if (!fits(p, ids[i].n + 1))
            continue;
        item_of[*n_prompts] = i;
        prompts[(*n_prompts)++] = (hone_gen_prompt){.ids = ids[i].ids,
                                                    .n = ids[i].n,
                                                    .first_sample = it->sample,
                                                    .n_samples = 1,
                                                    .grammar = grammars[i]};
    }
    return HONE_OK;
}

hone_status hone__serve_answers(hone__request *q, const hone__desk_model *m)
{
    const hone_answer_rule *r = q->rule;
    hone_policy *p = m->p;
    size_t n_prompts = 0;
    hone__answer *answer = q->answer = hone_arena_calloc(&q->arena, q->n, sizeof *answer);
    hone_tokens *ids = hone_arena_calloc(&q->arena, q->n, sizeof *ids);
    hone_grammar **grammars = hone_arena_calloc(&q->arena, q->n, sizeof *grammars);
    hone_gen_prompt *prompts = hone_arena_calloc(&q->arena, q->n, sizeof *prompts);
    size_t *item_of = hone_arena_calloc(&q->arena, q->n, sizeof *item_of);
    if (!answer || !ids || !grammars || !prompts || !item_of)
        return HONE_E_NOMEM;
    answering x = {q, item_of};
    hone_gen_params gp = {.rule = {.temperature = r->temperature > 0 ? r->temperature : 1,
                                   .greedy = r->temperature == 0,
                                   .top_p = r->top_p,
                                   .repetition_penalty = 1},
                          .seed = r->seed,
                          .max_tokens = r->max_tokens,
                          .stop_ids = p->text ? p->text->stop_ids : NULL,
                          .n_stop_ids = p->text ? p->text->n_stop_ids : 0,
                          .adapters = m->adapters,
                          .ctx = &x,
                          .on_finish = keep_answer};
    hone_status s = r->temperature >= 0
                        ? hone_sample_rule_check(&gp.rule)
                        : hone_fail(HONE_E_RANGE, "temperature %g: must not be negative",
                                    r->temperature);
    if (s >= 0)
        s = read_answers(q, p, ids, grammars, prompts, item_of, &n_prompts);
    if (s >= 0 && !*m->gen)
        s = hone_gen_create(p->model, &p->text->tokenizer, p->env->pool, m->gen);
    if (s >= 0 && n_prompts) {
        hone_params_tape(p->model->params, &p->model->tape_params);
        s = hone_gen_run(*m->gen, prompts, n_prompts, &gp);
    }
    for (size_t i = 0; i < q->n; i++) {
        hone_tokens_release(&ids[i]);
        hone_grammar_unref(grammars[i]);
    }
    return s;
}

/* ---- values ------------------------------------------------------------------------------------------------ */

hone_status hone__serve_values(hone__request *q, const hone__desk_model *m)
{
    double *answer = q->answer = hone_arena_calloc(&q->arena, q->n, sizeof *answer);
    hone_tokens *ids = hone_arena_calloc(&q->arena, q->n, sizeof *ids);
    hone_ids *list = hone_arena_calloc(&q->arena, q->n, sizeof *list);
    size_t *item_of = hone_arena_calloc(&q->arena, q->n, sizeof *item_of), n = 0;
    double *out = hone_arena_calloc(&q->arena, q->n, sizeof *out);
    if (!answer || !ids || !list || !item_of || !out)
        return HONE_E_NOMEM;
    hone_status s = m->p->model->head_kind ? HONE_OK : hone__values_missing(m->p);
    for (size_t i = 0; s >= 0 && i < q->n; i++) {
        const hone_value_item *it = hone__request_item(q, i);
        s = prompt_ids(m->p, &q->arena, it->prompt, it->messages, it->n_messages,
                       it->messages ? (hone_str){NULL, 0} : it->completion, 0, &ids[i]);
        if (s < 0) {
            item_failed(i);
            break;
        }
        answer[i] = NAN;
        if (!fits(m->p, ids[i].n))
            continue;
        item_of[n] = i;
        list[n++] = (hone_ids){ids[i].ids, ids[i].n};
    }
    if (s >= 0 && n)
        s = hone_policy_values(m->p, list, n, m->adapters, out);
    for (size_t i = 0; s >= 0 && i < n; i++)
        answer[item_of[i]] = out[i];
    for (size_t i = 0; i < q->n; i++)
        hone_tokens_release(&ids[i]);
    return s;
}

/* ---- embeddings -------------------------------------------------------------------------------------------- */

static hone_status read_embed(const hone_policy *p, const hone_embed_item *it, hone_tokens *out)
{
    static const hone_str none = {NULL, 0};
    if (it->ids)
        return ids_of(p, none, it->ids, it->n_ids, 0, out);
    if (!it->text.len)
        return HONE_OK;
    return prompt_ids(p, NULL, it->text, NULL, 0, none, 0, out);
}

hone_status hone__serve_embed(hone__request *q, const hone__desk_model *m)
{
    const size_t width = (size_t)m->p->model->info.hidden;
    size_t *item_of = hone_arena_calloc(&q->arena, q->n, sizeof *item_of), n = 0;
    hone__embedded *answer = q->answer = hone_arena_calloc(&q->arena, q->n, sizeof *answer);
    hone_tokens *ids = hone_arena_calloc(&q->arena, q->n, sizeof *ids);
    hone_ids *list = hone_arena_calloc(&q->arena, q->n, sizeof *list);
    float *out = NULL;
    if (!item_of || !answer || !ids || !list)
        return HONE_E_NOMEM;
    hone_status s = HONE_OK;
    for (size_t i = 0; s >= 0 && i < q->n; i++) {
        s = read_embed(m->p, hone__request_item(q, i), &ids[i]);
        if (s >= 0 && !ids[i].n)
            s = hone_fail(HONE_E_INVALID, "a text without tokens has no embedding");
        if (s < 0) {
            item_failed(i);
            break;
        }
        if (!fits(m->p, ids[i].n))
            continue;
        answer[i].n_tokens = ids[i].n;
        item_of[n] = i;
        list[n++] = (hone_ids){ids[i].ids, ids[i].n};
    }
    if (s >= 0 && n) {
        out = hone_arena_calloc(&q->arena, n, width * sizeof *out);
        s = out ? hone_policy_embed(m->p, list, n, m->adapters, q->flags, out) : HONE_E_NOMEM;
    }
    for (size_t i = 0; s >= 0 && i < n; i++) {
        answer[item_of[i]].vector = out + i * width;
        answer[item_of[i]].n = width;
    }
    for (size_t i = 0; i < q->n; i++)
        hone_tokens_release(&ids[i]);
    return s;
}

/* ---- what it is -------------------------------------------------------------------------------------------- */

hone_status hone__serve_describe(hone__request *q, const hone__desk_model *m)
{
    const hone_model *x = m->p->model;
    hone_params_sizes sizes;
    char sum[24];
    hone_buf b;
    hone_jw w;
    hone_str *answer = q->answer = hone_arena_calloc(&q->arena, 1, sizeof *answer);
    if (!answer)
        return HONE_E_NOMEM;
    hone_params_get_sizes(x->params, &sizes);
    snprintf(sum, sizeof sum, "%016llx", (unsigned long long)hone_model_checksum(x, m->adapters));
    hone_buf_init(&b, 1 << 16);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "name", m->p->name);
    hone_jw_kcstr(&w, "path", m->p->model_path);
    hone_jw_kcstr(&w, "arch", x->arch);
    hone_jw_ki64(&w, "parameters", (int64_t)sizes.n_params);
    hone_jw_kcstr(&w, "checksum", sum);
    hone_jw_ki64(&w, "vocabulary", x->info.vocab_size);
    hone_jw_ki64(&w, "positions", x->info.max_positions);
    hone_jw_ki64(&w, "hidden", x->info.hidden);
    hone_jw_kbool(&w, "template", m->p->text && m->p->text->chat);
    hone_jw_kbool(&w, "head", x->head_kind == HONE_HEAD_REWARD);
    hone_jw_end(&w);
    hone_status s = hone_buf_check(&b, "the description of a model");
    if (s >= 0) {
        *answer = hone_arena_str(&q->arena, hone_buf_str(&b));
        s = answer->ptr ? HONE_OK : HONE_E_NOMEM;
    }
    hone_buf_release(&b);
    return s;
}
