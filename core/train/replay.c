/* replay.c - see replay.h. The arrays are those that update.c gives an objective: trained-on tokens of the samples that
 * did not leave their groups, totals over the whole step, one call. */
#include "train/replay.h"

#include "base/json.h"
#include "base/messages.h"

#include <math.h>
#include <string.h>

/* ---- reading ------------------------------------------------------------------------------------- */

static hone_status read_ids(const hone_value *list, hone_arena *a, hone_replay_sample *s)
{
    if (!list)
        return HONE_OK;
    if (list->type != HONE_LIST)
        return hone_fail(HONE_E_TYPE, "ids: a list is wanted");
    int32_t *ids = hone_arena_calloc(a, list->u.list.n + 1, sizeof *ids);
    if (!ids)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *v = &list->u.list.items[i];
        if (v->type != HONE_I64 || v->u.i64 < 0 || v->u.i64 > INT32_MAX)
            return hone_fail(HONE_E_PARSE, "ids: number %zu is no token", i + 1);
        ids[i] = (int32_t)v->u.i64;
    }
    s->ids = ids;
    s->n = list->u.list.n;
    return HONE_OK;
}

static hone_status read_logprobs(const hone_value *list, hone_arena *a, hone_replay_sample *s)
{
    if (!list || list->type != HONE_LIST || list->u.list.n != s->n)
        return hone_fail(HONE_E_PARSE, "logprobs: a list of %zu numbers is wanted, one a token",
                         s->n);
    float *lp = hone_arena_calloc(a, s->n + 1, sizeof *lp);
    if (!lp)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < s->n; i++) {
        const hone_value *v = &list->u.list.items[i];
        const double x = v->type == HONE_F64   ? v->u.f64
                         : v->type == HONE_I64 ? (double)v->u.i64
                                               : (double)NAN;
        if (!(x <= 0.001) || !(x >= -1e30))
            return hone_fail(HONE_E_PARSE, "logprobs: number %zu is no log-probability", i + 1);
        lp[i] = (float)x;
    }
    s->logprobs = lp;
    return HONE_OK;
}

/* turns: [from, to) of each of an episode's, in order. */
static hone_status read_turns(const hone_value *list, hone_arena *a, hone_replay_sample *s)
{
    if (!list)
        return HONE_OK;
    if (list->type != HONE_LIST)
        return hone_fail(HONE_E_TYPE, "turns: a list is wanted");
    uint8_t *mask = hone_arena_calloc(a, s->n + 1, 1);
    int64_t last = 0;
    if (!mask)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *t = &list->u.list.items[i];
        const hone_value *ends = t->type == HONE_LIST && t->u.list.n == 2 ? t->u.list.items : NULL;
        if (!ends || ends[0].type != HONE_I64 || ends[1].type != HONE_I64 || ends[0].u.i64 < last ||
            ends[1].u.i64 <= ends[0].u.i64 || (uint64_t)ends[1].u.i64 > s->n)
            return hone_fail(HONE_E_PARSE, "turns: number %zu is no part [from, to) of the %zu ids",
                             i + 1, s->n);
        last = ends[1].u.i64;
        memset(mask + ends[0].u.i64, 1, (size_t)(last - ends[0].u.i64));
    }
    s->turns = (uint32_t)list->u.list.n;
    s->mask = mask;
    return HONE_OK;
}

static double own(const hone_replay_sample *s, size_t k)
{
    return s->mask ? (double)s->mask[k] : 1;
}

static double n_own(const hone_replay_sample *s)
{
    double n = 0;
    for (size_t k = 0; k < s->n; k++)
        n += own(s, k);
    return n;
}

hone_status hone_replay_read(hone_str line, hone_arena *arena, hone_replay_sample *out)
{
    hone_replay_sample s = {.reward = (double)NAN, .advantage = (double)NAN};
    const hone_str none = {"", 0};
    hone_str finish;
    hone_value v;
    HONE_TRY(hone_json_parse(line.ptr, line.len, NULL, arena, &v));
    if (v.type != HONE_MAP || !hone_value_get(&v, "step") || !hone_value_get(&v, "completion"))
        return hone_fail(HONE_E_PARSE, "a sample with step and completion is wanted");
    HONE_TRY(hone_value_i64(&v, "step", 0, &s.step));
    HONE_TRY(hone_value_i64(&v, "sample", 0, &s.sample));
    HONE_TRY(hone_value_i64(&v, "group", 0, &s.group));
    HONE_TRY(hone_value_f64(&v, "reward", (double)NAN, &s.reward));
    HONE_TRY(hone_value_f64(&v, "advantage", (double)NAN, &s.advantage));
    HONE_TRY(hone_value_bool(&v, "left_out", 0, &s.left_out));
    HONE_TRY(hone_value_string(&v, "prompt", none, &s.prompt));
    HONE_TRY(hone_value_string(&v, "completion", none, &s.completion));
    HONE_TRY(hone_value_string(&v, "finish", none, &finish));
    s.finish = hone_str_eq(finish, "stop")        ? HONE_FINISH_STOP
               : hone_str_eq(finish, "length")    ? HONE_FINISH_LENGTH
               : hone_str_eq(finish, "cancelled") ? HONE_FINISH_CANCELLED
                                                  : 0;
    HONE_TRY(read_ids(hone_value_get(&v, "ids"), arena, &s));
    HONE_TRY(read_logprobs(hone_value_get(&v, "logprobs"), arena, &s));
    HONE_TRY(read_turns(hone_value_get(&v, "turns"), arena, &s));
    const hone_value *row = hone_value_get(&v, "row"), *outcomes = hone_value_get(&v, "outcomes");
    if (row && row->type == HONE_MAP)
        s.row = *row;
    if (outcomes && outcomes->type == HONE_MAP)
        s.outcomes = *outcomes;
    *out = s;
    return HONE_OK;
}

int hone_replay_outcome(const hone_replay_sample *s, const char *id, double *score)
{
    const hone_value *o = s->outcomes.type == HONE_MAP ? hone_value_get(&s->outcomes, id) : NULL;
    const hone_value *status = o ? hone_value_get(o, "status") : NULL,
                     *v = o ? hone_value_get(o, "score") : NULL;
    if (!status || status->type != HONE_STRING || !hone_str_eq(status->u.str, "score") || !v ||
        (v->type != HONE_F64 && v->type != HONE_I64))
        return 0;
    *score = v->type == HONE_F64 ? v->u.f64 : (double)v->u.i64;
    return 1;
}

hone_status hone_replay_view(const hone_replay_sample *s, hone_arena *arena, hone_sample *out)
{
    const int has_row = s->row.type == HONE_MAP;
    const hone_value *text = has_row ? hone_value_get(&s->row, "prompt") : NULL;
    memset(out, 0, sizeof *out);
    out->id = (uint64_t)s->sample;
    out->prompt = text && text->type == HONE_STRING ? text->u.str : s->prompt;
    out->completion = s->completion;
    if (has_row && hone_value_get(&s->row, "messages")) {
        hone_messages m;
        hone_str prompt;
        HONE_TRY(hone_messages_of_row(&s->row, arena, &prompt, &m));
        out->messages = m.at;
        out->n_messages = m.n;
    }
    out->tokens = s->ids;
    out->logprobs = s->logprobs;
    out->n_tokens = s->n;
    out->finish = s->finish;
    out->turn = s->turns;
    const size_t n = has_row ? s->row.u.map.n : 0;
    hone_column *columns = hone_arena_calloc(arena, n + 1, sizeof *columns);
    if (!columns)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        columns[i] = (hone_column){s->row.u.map.pairs[i].key, s->row.u.map.pairs[i].value};
    out->columns = columns;
    out->n_columns = n;
    return HONE_OK;
}

void hone_replay_groups(hone_replay_step *s)
{
    s->n_groups = 0;
    for (size_t i = 0; i < s->n; i++) {
        const hone_replay_sample *x = &s->samples[i], *before = i ? x - 1 : NULL;
        if (!before || before->group != x->group || !hone_str_same(before->prompt, x->prompt))
            s->n_groups++;
        s->group[i] = (uint32_t)(s->n_groups - 1);
    }
}

/* ---- one side --------------------------------------------------------------------------------------- */

hone_status hone_replay_check(const hone_replay_side *side, const char *name)
{
    static const struct {
        uint32_t use;
        const char *what;
    } missing[] = {{HONE_OBJ_PAIRS, "preference pairs"},
                   {HONE_OBJ_UNPAIRED, "desirable and undesirable answers"},
                   {HONE_OBJ_VALUE, "a value head"},
                   {HONE_OBJ_TEACHER, "a teacher"},
                   {HONE_OBJ_DIVERGENCE, "a teacher's distributions"},
                   {HONE_OBJ_COLLISION, "whole distributions"}};
    hone_instance_enter(side->objective);
    const uint32_t uses = side->objective_vt->uses(side->objective_self);
    hone_instance_leave(side->objective, "uses", HONE_OK);
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        if (uses & missing[i].use)
            return hone_fail(HONE_E_INVALID,
                             "the objective %s learns from %s, which rollouts do not hold", name,
                             missing[i].what);
    }
    return HONE_OK;
}

/* Recorded rewards and advantages, or those of the method. */
static hone_status advantages(const hone_replay_step *s, const hone_replay_side *side,
                              hone_arena *a, const size_t *begin, double *token,
                              hone_replay_result *r)
{
    const size_t n = s->n;
    if (!side->advantage) {
        for (size_t i = 0; i < n; i++) {
            const hone_replay_sample *x = &s->samples[i];
            r->left_out[i] = (uint8_t)(x->left_out || isnan(x->advantage));
            r->reward[i] = r->left_out[i] ? (double)NAN : x->reward;
            r->advantage[i] = r->left_out[i] ? 0 : x->advantage;
            for (size_t k = begin[i]; k < begin[i + 1]; k++)
                token[k] = r->advantage[i];
        }
        return HONE_OK;
    }
    double *length = hone_arena_calloc(a, n + 1, sizeof *length),
           *mask = hone_arena_calloc(a, begin[n] + 1, sizeof *mask),
           *logp = hone_arena_calloc(a, begin[n] + 1, sizeof *logp);
    if (!length || !mask || !logp)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        length[i] = n_own(&s->samples[i]);
        for (size_t k = begin[i]; k < begin[i + 1]; k++) {
            mask[k] = own(&s->samples[i], k - begin[i]);
            logp[k] = (double)s->samples[i].logprobs[k - begin[i]];
        }
    }
    hone_advantage_in in = {.struct_size = sizeof in,
                            .n_seqs = n,
                            .n_rewards = s->n_rewards,
                            .n_tokens = begin[n],
                            .rewards = s->rewards,
                            .scored = s->scored,
                            .weights = s->weights,
                            .group = s->group,
                            .length = length,
                            .seq_begin = begin,
                            .mask = mask,
                            .logp = logp,
                            .max_length = side->max_length};
    hone_advantage_out out = {.struct_size = sizeof out,
                              .seq = r->advantage,
                              .token = token,
                              .combined = r->reward,
                              .left_out = r->left_out,
                              .n_seqs = n,
                              .n_tokens = begin[n]};
    hone_instance_enter(side->advantage);
    HONE_TRY(hone_instance_leave(side->advantage, "compute",
                                 side->advantage_vt->compute(side->advantage_self, &in, &out)));
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        if (r->left_out[i])
            r->advantage[i] = 0;
        for (size_t k = begin[i]; k < begin[i + 1]; k++) {
            if (r->left_out[i] || !out.per_token)
                token[k] = r->advantage[i];
            sum += mask[k] > 0 ? token[k] : 0;
        }
        if (out.per_token)
            r->advantage[i] = length[i] > 0 ? sum / length[i] : 0;
    }
    return HONE_OK;
}

typedef struct arrays { /* of the sequences that take part, without gaps */
    size_t n, n_tok;
    size_t *begin, *from; /* from: where its tokens stand among all */
    double *logp, *mask, *adv, *length, *entropy, *grad, *grad_entropy;
    double own; /* how many of the tokens are the policy's */
    uint32_t *group;
    uint8_t *cut;
} arrays;

static hone_status take(const hone_replay_step *s, const hone_replay_result *r, const size_t *begin,
                        const double *token, uint32_t uses, hone_arena *a, arrays *x)
{
    const size_t n = s->n, n_tok = begin[n];
    memset(x, 0, sizeof *x);
    x->begin = hone_arena_calloc(a, n + 1, sizeof *x->begin);
    x->from = hone_arena_calloc(a, n + 1, sizeof *x->from);
    x->group = hone_arena_calloc(a, n + 1, sizeof *x->group);
    x->cut = hone_arena_calloc(a, n + 1, 1);
    x->length = hone_arena_calloc(a, n + 1, sizeof *x->length);
    double **const per_token[] = {&x->logp,    &x->mask, &x->adv,
                                  &x->entropy, &x->grad, &x->grad_entropy};
    for (size_t i = 0; i < sizeof per_token / sizeof *per_token; i++) {
        *per_token[i] = hone_arena_calloc(a, n_tok + 1, sizeof(double));
        if (!*per_token[i])
            return HONE_E_NOMEM;
    }
    if (!x->begin || !x->from || !x->group || !x->cut || !x->length)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const hone_replay_sample *q = &s->samples[i];
        const int cut = q->finish == HONE_FINISH_LENGTH;
        if (r->left_out[i] || q->n == 0 || (cut && (uses & HONE_OBJ_COMPLETED)))
            continue;
        x->from[x->n] = begin[i];
        x->group[x->n] = s->group[i];
        x->cut[x->n] = (uint8_t)cut;
        x->length[x->n] = n_own(q);
        x->own += n_own(q);
        for (size_t k = 0; k < q->n; k++) {
            x->logp[x->n_tok] = (double)q->logprobs[k];
            x->entropy[x->n_tok] = -(double)q->logprobs[k]; /* what one draw says of it */
            x->mask[x->n_tok] = own(q, k);
            x->adv[x->n_tok++] = token[begin[i] + k];
        }
        x->begin[++x->n] = x->n_tok;
    }
    return HONE_OK;
}

static hone_status gradient(const hone_replay_side *side, const arrays *x, uint32_t uses,
                            double *loss)
{
    hone_objective_in in = {.struct_size = sizeof in,
                            .n_tokens = x->n_tok,
                            .n_seqs = x->n,
                            .seq_begin = x->begin,
                            .logp = x->logp,
                            .mask = x->mask,
                            .old_logp = uses & HONE_OBJ_OLD ? x->logp : NULL,
                            .ref_logp = uses & HONE_OBJ_REF ? x->logp : NULL,
                            .sampler_logp = uses & HONE_OBJ_SAMPLER ? x->logp : NULL,
                            .entropy = uses & HONE_OBJ_ENTROPY ? x->entropy : NULL,
                            .advantage = x->adv,
                            .length = x->length,
                            .group = x->group,
                            .total_tokens = x->own,
                            .total_seqs = (double)x->n,
                            .total_chosen_tokens = x->own,
                            .max_length = side->max_length,
                            .truncated = x->cut};
    hone_objective_out out = {.struct_size = sizeof out,
                              .grad_logp = x->grad,
                              .grad_entropy = uses & HONE_OBJ_ENTROPY ? x->grad_entropy : NULL,
                              .n_tokens = x->n_tok};
    in.total_pairs = 0;
    for (size_t i = 0; i < x->n; i++)
        in.total_pairs += i == 0 || x->group[i] != x->group[i - 1];
    hone_instance_enter(side->objective);
    HONE_TRY(hone_instance_leave(side->objective, "loss",
                                 side->objective_vt->loss(side->objective_self, &in, &out)));
    *loss = out.loss;
    return HONE_OK;
}

hone_status hone_replay_compute(const hone_replay_step *s, const hone_replay_side *side,
                                hone_arena *a, hone_replay_result *out)
{
    hone_replay_result r = {0};
    arrays x;
    size_t *begin = hone_arena_calloc(a, s->n + 1, sizeof *begin);
    if (!begin)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < s->n; i++)
        begin[i + 1] = begin[i] + s->samples[i].n;
    r.n_tokens = begin[s->n];
    r.reward = hone_arena_calloc(a, s->n + 1, sizeof *r.reward);
    r.advantage = hone_arena_calloc(a, s->n + 1, sizeof *r.advantage);
    r.left_out = hone_arena_calloc(a, s->n + 1, 1);
    r.grad = hone_arena_calloc(a, r.n_tokens + 1, sizeof *r.grad);
    double *token = hone_arena_calloc(a, r.n_tokens + 1, sizeof *token);
    if (!r.reward || !r.advantage || !r.left_out || !r.grad || !token)
        return HONE_E_NOMEM;
    hone_instance_enter(side->objective);
    const uint32_t uses = side->objective_vt->uses(side->objective_self);
    hone_instance_leave(side->objective, "uses", HONE_OK);
    HONE_TRY(advantages(s, side, a, begin, token, &r));
    HONE_TRY(take(s, &r, begin, token, uses, a, &x));
    if (x.n)
        HONE_TRY(gradient(side, &x, uses, &r.loss));
    for (size_t i = 0; i < x.n; i++) {
        for (size_t k = x.begin[i]; k < x.begin[i + 1]; k++)
            r.grad[x.from[i] + k - x.begin[i]] = x.grad[k];
    }
    *out = r;
    return HONE_OK;
}

/* ---- comparing --------------------------------------------------------------------------------------- */

void hone_replay_pair(hone_replay_sums *s, double x, double y)
{
    if (!isfinite(x) || !isfinite(y))
        return;
    s->n++;
    s->x += x;
    s->y += y;
    s->xx += x * x;
    s->yy += y * y;
    s->xy += x * y;
}

double hone_replay_correlation(const hone_replay_sums *s)
{
    if (s->n < 2)
        return (double)NAN;
    const double mx = s->x / s->n, my = s->y / s->n, xx = s->xx - s->n * mx * mx,
                 yy = s->yy - s->n * my * my, xy = s->xy - s->n * mx * my;
    if (!(xx > 1e-12 * s->xx) || !(yy > 1e-12 * s->yy)) /* one of them does not vary */
        return (double)NAN;
    const double r = xy / sqrt(xx * yy);
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

static int sign(double v)
{
    return (v > 1e-12) - (v < -1e-12);
}

void hone_replay_compare(const hone_replay_step *s, const hone_replay_result *was,
                         const hone_replay_result *now, hone_replay_compared *c)
{
    c->samples += s->n;
    c->groups += s->n_groups;
    for (size_t i = 0; i < s->n;) {
        int any_was = 0, any_now = 0;
        const uint32_t group = s->group[i];
        for (; i < s->n && s->group[i] == group; i++) {
            const int a = sign(was->advantage[i]), b = sign(now->advantage[i]);
            any_was |= a;
            any_now |= b;
            c->out_was += was->left_out[i];
            c->out_now += now->left_out[i];
            if (was->left_out[i] || now->left_out[i])
                continue;
            hone_replay_pair(&c->reward, was->reward[i], now->reward[i]);
            hone_replay_pair(&c->advantage, was->advantage[i], now->advantage[i]);
            c->flipped += a * b < 0;
            c->gained += a == 0 && b != 0;
            c->lost += a != 0 && b == 0;
        }
        c->equal_was += !any_was;
        c->equal_now += !any_now;
    }
    for (size_t k = 0; k < was->n_tokens; k++) {
        c->dot += was->grad[k] * now->grad[k];
        c->was += was->grad[k] * was->grad[k];
        c->now += now->grad[k] * now->grad[k];
    }
}

static void add_sums(hone_replay_sums *to, const hone_replay_sums *m)
{
    to->n += m->n;
    to->x += m->x;
    to->y += m->y;
    to->xx += m->xx;
    to->yy += m->yy;
    to->xy += m->xy;
}

void hone_replay_add(hone_replay_compared *to, const hone_replay_compared *m)
{
    to->samples += m->samples;
    to->groups += m->groups;
    add_sums(&to->reward, &m->reward);
    add_sums(&to->advantage, &m->advantage);
    to->flipped += m->flipped;
    to->gained += m->gained;
    to->lost += m->lost;
    to->equal_was += m->equal_was;
    to->equal_now += m->equal_now;
    to->out_was += m->out_was;
    to->out_now += m->out_now;
    to->dot += m->dot;
    to->was += m->was;
    to->now += m->now;
}
