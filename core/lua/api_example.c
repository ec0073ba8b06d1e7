/* api_example.c - rows become examples: token ids with what is trained on, and a teacher's word on them.
 *
 *   core.example(policy, row, options) -> example         prompt/completion, messages, text; or chosen/rejected
 *   core.example_info(example) -> table                   tokens, trained-on tokens, texts
 *   core.topk(policy, examples, k, temperature) -> list   what the policy as a teacher says of each (train/topk.h)
 *
 * A row's `teacher` is read back here: every id, count and log-prob of it is checked, since it may come from a file. */
#include "lua/api_example.h"

#include "base/alloc.h"
#include "base/json.h"
#include "train/topk.h"
#include "train/values.h"

#include <math.h>
#include <string.h>

static void example_release(void *p)
{
    hone__example *e = p;
    hone_arena_release(&e->arena);
    hone_free(e);
}

typedef struct encoded {
    hone_tokens t; /* with mask */
    size_t first;  /* first trained-on token */
    int truncated; /* some that were to be trained on did not fit */
} encoded;

typedef struct encode_options {
    int raw, eos, scored;
    int64_t max_tokens;
} encode_options;

static hone_status cut(encoded *e, const encode_options *o, hone_str shown)
{
    size_t last = 0;
    int any = 0;
    if (o->max_tokens > 0 && e->t.n > (size_t)o->max_tokens) {
        for (size_t i = (size_t)o->max_tokens; i < e->t.n; i++)
            e->truncated |= e->t.mask[i];
        e->t.n = (size_t)o->max_tokens;
    }
    for (size_t i = 0; i < e->t.n; i++) {
        if (!e->t.mask[i])
            continue;
        if (!any)
            e->first = i;
        any = 1;
        last = i;
    }
    if (!any) {
        hone_status s = hone_fail(HONE_E_INVALID,
                                  "nothing to train on: no token of the completion is left%s",
                                  o->max_tokens > 0 ? " within max_tokens" : "");
        hone_fail_detail("%.*s", (int)(shown.len < 400 ? shown.len : 400),
                         shown.ptr ? shown.ptr : "");
        hone_fail_hint("raise max_tokens, or leave such rows out with filter");
        return s;
    }
    e->t.n = last + 1; /* what follows the last trained-on token is seen by nobody */
    return HONE_OK;
}

static hone_status add_plain(hone_policy *p, hone_str text, uint32_t flags, uint8_t mask,
                             encoded *e)
{
    size_t from = e->t.n;
    HONE_TRY(hone_tokenizer_encode(&p->text->tokenizer, text, flags, &e->t));
    for (size_t i = from; i < e->t.n; i++)
        e->t.mask[i] = mask;
    return HONE_OK;
}

/* Prompt and completion as they are: tokenized apart, the completion trained on. */
static hone_status encode_raw(hone_policy *p, hone_str prompt, hone_str completion,
                              const encode_options *o, encoded *e)
{
    static const uint8_t one = 1;
    if (prompt.len)
        HONE_TRY(add_plain(p, prompt, HONE_ENCODE_ADD | HONE_ENCODE_SPECIAL, 0, e));
    HONE_TRY(
        add_plain(p, completion, HONE_ENCODE_SPECIAL | (prompt.len ? 0 : HONE_ENCODE_ADD), 1, e));
    if (o->eos && p->text->n_stop_ids)
        HONE_TRY(hone_tokens_add(&e->t, &p->text->stop_ids[0], NULL, &one, 1));
    return cut(e, o, completion);
}

static hone_value text_value(const char *z)
{
    return (hone_value){.type = HONE_STRING, .u.str = hone_str_c(z)};
}

static hone_status message(hone_arena *a, const char *role, const hone_value *content,
                           hone_value *out)
{
    hone_pair *p = hone_arena_calloc(a, 2, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    p[0] = (hone_pair){hone_str_c("role"), text_value(role)};
    p[1] = (hone_pair){hone_str_c("content"), *content};
    *out = (hone_value){.type = HONE_MAP, .u.map = {p, 2}};
    return HONE_OK;
}

/* Messages of `prompt` (text or list) followed by those of `completion` (text or list). */
static hone_status conversation(hone_arena *a, const hone_value *system, const hone_value *prompt,
                                const hone_value *completion, hone_value *out)
{
    size_t np = prompt->type == HONE_LIST ? prompt->u.list.n : 1;
    size_t nc = completion->type == HONE_LIST ? completion->u.list.n : 1, n = 0;
    hone_value *m = hone_arena_calloc(a, np + nc + 1, sizeof *m);
    if (!m)
        return HONE_E_NOMEM;
    if (system && system->type == HONE_STRING && system->u.str.len)
        HONE_TRY(message(a, "system", system, &m[n++]));
    if (prompt->type == HONE_LIST) {
        memcpy(m + n, prompt->u.list.items, np * sizeof *m);
        n += np;
    } else {
        HONE_TRY(message(a, "user", prompt, &m[n++]));
    }
    if (completion->type == HONE_LIST) {
        memcpy(m + n, completion->u.list.items, nc * sizeof *m);
        n += nc;
    } else if (completion->type == HONE_MAP) {
        m[n++] = *completion;
    } else {
        HONE_TRY(message(a, "assistant", completion, &m[n++]));
    }
    *out = (hone_value){.type = HONE_LIST, .u.list = {m, n}};
    return HONE_OK;
}

static hone_status encode_chat(hone_policy *p, const hone_value *messages, const hone_value *tools,
                               size_t turns_before, const encode_options *o, encoded *e)
{
    hone_buf shown;
    hone_buf_init(&shown, (size_t)1 << 26);
    hone_chat_options opt = {.tools = tools && tools->type == HONE_LIST ? tools : NULL,
                             .given = turns_before};
    hone_status s = hone_chat_encode(p->text->chat, &p->text->tokenizer, messages, &opt, &e->t);
    if (s >= 0)
        s = hone_tokenizer_decode(&p->text->tokenizer, e->t.ids, e->t.n < 200 ? e->t.n : 200, 0,
                                  &shown);
    if (s >= 0)
        s = cut(e, o, hone_buf_str(&shown));
    hone_buf_release(&shown);
    return s;
}

/* The ids that a reward model is asked about (desk_serve.c), of which the one that says what they are worth counts alone. */
static hone_status encode_scored(hone_policy *p, const hone_value *messages, hone_str prompt,
                                 hone_str completion, const encode_options *o, encoded *e)
{
    static const hone_chat_options whole = {0};
    const hone_tokenizer *t = &p->text->tokenizer;
    hone_tokens_clear(&e->t);
    if (messages)
        HONE_TRY(hone_chat_prompt(p->text->chat, t, messages, &whole, &e->t));
    if (prompt.len)
        HONE_TRY(hone_tokenizer_encode(t, prompt, HONE_ENCODE_ADD, &e->t));
    if (completion.len)
        HONE_TRY(hone_tokenizer_encode(t, completion, e->t.n ? HONE_ENCODE_CONTINUES : 0, &e->t));
    const size_t n = e->t.n;
    if (n < 2 || (o->max_tokens > 0 && n > (size_t)o->max_tokens)) {
        hone_fail(HONE_E_INVALID, "a conversation of %zu tokens cannot be scored%s", n,
                  n < 2 ? "" : ": max_tokens is less, and its end is what counts");
        return hone_fail_hint("raise max_tokens, or leave such rows out: on_error = \"skip\"");
    }
    e->first = hone_value_place(p->model, e->t.ids, n);
    memset(e->t.mask, 0, n);
    e->t.mask[e->first] = 1;
    e->t.n = e->first + 1;
    return HONE_OK;
}

/* One sequence from a prompt (or none) and a completion. */
static hone_status encode_one(hone_policy *p, hone_arena *a, const hone_value *row,
                              const hone_value *completion, const encode_options *o, encoded *e)
{
    const hone_value *prompt = hone_value_get(row, "prompt");
    static const hone_value nothing = {.type = HONE_STRING, .u.str = {"", 0}};
    hone_value all;
    if (!prompt || prompt->type == HONE_NULL)
        prompt = &nothing;
    if (p->text->chat && !o->raw) {
        HONE_TRY(conversation(a, hone_value_get(row, "system"), prompt, completion, &all));
        size_t nc = completion->type == HONE_LIST ? completion->u.list.n : 1;
        if (o->scored)
            return encode_scored(p, &all, (hone_str){NULL, 0}, (hone_str){NULL, 0}, o, e);
        return encode_chat(p, &all, hone_value_get(row, "tools"),
                           prompt->type == HONE_LIST ? all.u.list.n - nc : 0, o, e);
    }
    if (prompt->type != HONE_STRING || completion->type != HONE_STRING)
        return hone_fail(
            HONE_E_TYPE,
            "the model has no chat template (or raw is set): prompt and completion must be texts");
    if (o->scored)
        return encode_scored(p, NULL, prompt->u.str, completion->u.str, o, e);
    return encode_raw(p, prompt->u.str, completion->u.str, o, e);
}

static hone_status encode_row(hone_policy *p, hone_arena *a, const hone_value *row,
                              const encode_options *o, encoded out[2], size_t *n)
{
    const hone_value *messages = hone_value_get(row, "messages"),
                     *text = hone_value_get(row, "text");
    const hone_value *completion = hone_value_get(row, "completion");
    const hone_value *chosen = hone_value_get(row, "chosen"),
                     *rejected = hone_value_get(row, "rejected");
    *n = 1;
    if (chosen && rejected) {
        *n = 2;
        HONE_TRY(encode_one(p, a, row, chosen, o, &out[0]));
        return encode_one(p, a, row, rejected, o, &out[1]);
    }
    if (completion && completion->type != HONE_NULL)
        return encode_one(p, a, row, completion, o, &out[0]);
    if (messages && messages->type == HONE_LIST) {
        if (!p->text->chat)
            return hone_fail(HONE_E_INVALID, "%s has no chat template, and the row has messages",
                             p->model_path);
        return encode_chat(p, messages, hone_value_get(row, "tools"), 0, o, &out[0]);
    }
    if (text && text->type == HONE_STRING)
        return encode_raw(p, (hone_str){"", 0}, text->u.str, o, &out[0]);
    hone_status s = hone_fail(HONE_E_INVALID, "the row has neither prompt and completion, nor "
                                              "messages, nor text, nor chosen and rejected");
    hone_fail_hint("bring it into one of these forms with :map(function(r) ... end)");
    return s;
}

/* The longest common prefix that neither sequence trains on is the tree's prompt. */
static hone_status make_tree(hone__example *e, encoded *enc, size_t n)
{
    size_t shared = enc[0].first;
    if (n == 2) {
        if (enc[1].first < shared)
            shared = enc[1].first;
        for (size_t i = 0; i < shared; i++) {
            if (enc[0].t.ids[i] != enc[1].t.ids[i])
                shared = i;
        }
    } else {
        shared = 0; /* one chain: nothing to share */
    }
    if (n == 2 && shared == 0)
        return hone_fail(HONE_E_INVALID, "chosen and rejected share no prompt");
    int32_t *prompt = hone_arena_calloc(&e->arena, shared + 1, sizeof *prompt);
    if (!prompt)
        return HONE_E_NOMEM;
    memcpy(prompt, enc[0].t.ids, shared * sizeof *prompt);
    for (size_t k = 0; k < n; k++) {
        size_t m = enc[k].t.n - shared;
        int32_t *ids = hone_arena_calloc(&e->arena, m + 1, sizeof *ids);
        uint8_t *mask = hone_arena_calloc(&e->arena, m + 1, 1);
        if (!ids || !mask)
            return HONE_E_NOMEM;
        memcpy(ids, enc[k].t.ids + shared, m * sizeof *ids);
        memcpy(mask, enc[k].t.mask + shared, m);
        for (size_t i = 0; i < m; i++)
            e->n_trained += mask[i];
        e->seqs[k] = (hone_train_seq){
            .ids = ids, .n = m, .mask = mask, .truncated = enc[k].truncated};
        if (n == 2)
            e->seqs[k].role = k == 0 ? HONE_ROLE_CHOSEN : HONE_ROLE_REJECTED;
    }
    e->tree = (hone_train_tree){.prompt = prompt, .n_prompt = shared, .seqs = e->seqs, .n_seqs = n};
    return HONE_OK;
}

/* row.teacher, as core.topk wrote it: k ids and log-probs for each trained-on token that has a place. */
static hone_status read_teacher(const hone_value *row, int64_t V, hone__example *e)
{
    const hone_value *t = hone_value_get(row, "teacher");
    const hone_value *ids, *logp;
    hone_train_seq *q = &e->seqs[0];
    int64_t k;
    size_t rows = hone_policy_topk_rows(&e->tree, 1), at = 0;
    if (!t || t->type == HONE_NULL)
        return HONE_OK;
    if (t->type != HONE_MAP || e->tree.n_seqs != 1)
        return hone_fail(HONE_E_INVALID,
                         "teacher: what policy:topk gave for a row of one completion");
    ids = hone_value_get(t, "ids");
    logp = hone_value_get(t, "logprobs");
    HONE_TRY(hone_value_i64(t, "k", 0, &k));
    HONE_TRY(hone_value_f64(t, "temperature", 1, &q->teacher_temperature));
    if (k < 1 || k > HONE_TOPK_MOST || k > V || !ids || !logp || ids->type != HONE_LIST ||
        logp->type != HONE_LIST || ids->u.list.n != rows * (size_t)k ||
        logp->u.list.n != ids->u.list.n)
        return hone_fail(
            HONE_E_SHAPE,
            "teacher: %lld ids and log-probs for each of %zu tokens are wanted; the row was "
            "written for another text, tokenizer or template",
            (long long)k, rows);
    int32_t *all = hone_arena_calloc(&e->arena, q->n * (size_t)k + 1, sizeof *all);
    float *lp = hone_arena_calloc(&e->arena, q->n * (size_t)k + 1, sizeof *lp);
    if (!all || !lp)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < q->n; i++) {
        double sum = 0;
        if (!q->mask[i] || (e->tree.n_prompt == 0 && i == 0))
            continue;
        for (size_t j = 0; j < (size_t)k; j++, at++) {
            const hone_value *id = &ids->u.list.items[at];
            const double x = hone_value_number(&logp->u.list.items[at]);
            if (id->type != HONE_I64 || id->u.i64 < 0 || id->u.i64 >= V || !(x <= 0))
                return hone_fail(HONE_E_RANGE, "teacher: entry %zu is no token or no log-prob",
                                 at + 1);
            for (size_t m = 0; m < j; m++)
                if (all[i * (size_t)k + m] == id->u.i64)
                    return hone_fail(HONE_E_INVALID,
                                     "teacher: token %lld stands twice in one place",
                                     (long long)id->u.i64);
            all[i * (size_t)k + j] = (int32_t)id->u.i64;
            lp[i * (size_t)k + j] = (float)x;
            sum += exp(x);
        }
        if (!(sum <= 1.001))
            return hone_fail(HONE_E_RANGE, "teacher: the probabilities of a place add up to %g",
                             sum);
    }
    q->teacher_ids = all;
    q->teacher_logp = lp;
    q->teacher_k = (uint32_t)k;
    return HONE_OK;
}

static hone_status make_example(hone_policy *p, const hone_value *row, const hone_value *options,
                                hone_arena *a, hone__example **out)
{
    encode_options o = {0};
    encoded enc[2];
    size_t n = 0;
    if (!p->text || !p->text->tokenizer_instance)
        return hone_fail(HONE_E_INVALID, "%s has no tokenizer", p->name);
    HONE_TRY(hone_value_bool(options, "raw", 0, &o.raw));
    HONE_TRY(hone_value_bool(options, "eos", !o.raw || !p->text->chat, &o.eos));
    HONE_TRY(hone_value_i64(options, "max_tokens", 0, &o.max_tokens));
    HONE_TRY(hone_value_bool(options, "scored", 0, &o.scored));
    hone__example *e = hone_calloc(1, sizeof *e);
    if (!e)
        return HONE_E_NOMEM;
    hone_arena_init(&e->arena, 0);
    for (int i = 0; i < 2; i++) {
        memset(&enc[i], 0, sizeof enc[i]);
        hone_tokens_init(&enc[i].t, HONE_TOKENS_SPANS | HONE_TOKENS_MASK);
    }
    hone_status s = encode_row(p, a, row, &o, enc, &n);
    if (s >= 0)
        s = make_tree(e, enc, n);
    if (s >= 0)
        s = read_teacher(row, p->model->info.vocab_size, e);
    const hone_value *margin = hone_value_get(row, "margin");
    if (s >= 0 && n == 2 && margin && (margin->type == HONE_F64 || margin->type == HONE_I64))
        e->seqs[0].margin = hone_value_number(margin);
    const hone_value *label = hone_value_get(row, "label");
    if (s >= 0 && n == 1 && label && label->type == HONE_BOOL) /* a single answer, good or bad */
        e->seqs[0].role = label->u.boolean ? HONE_ROLE_CHOSEN : HONE_ROLE_REJECTED;
    hone_tokens_release(&enc[0].t);
    hone_tokens_release(&enc[1].t);
    if (s < 0) {
        example_release(e);
        return s;
    }
    *out = e;
    return HONE_OK;
}

static int l_example(lua_State *L)
{
    hone_policy *p = hone__lua_check(L, 1, HONE_LUA_POLICY);
    hone_arena a;
    hone_value row, options;
    hone__example *e = NULL;
    hone_arena_init(&a, (size_t)1 << 30);
    hone_status s = hone_lua_to_value(L, 2, &a, &row);
    if (s >= 0)
        s = hone__lua_options(L, 3, &a, &options);
    if (s >= 0)
        s = make_example(p, &row, &options, &a, &e);
    hone_arena_release(&a);
    if (s < 0)
        return hone_lua_raise(L);
    hone__lua_push(L, e, HONE_LUA_EXAMPLE);
    return 1;
}

static int l_example_info(lua_State *L)
{
    hone__example *e = hone__lua_check(L, 1, HONE_LUA_EXAMPLE);
    size_t n = e->tree.n_prompt;
    for (size_t i = 0; i < e->tree.n_seqs; i++)
        n += e->seqs[i].n;
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, (lua_Integer)n);
    lua_setfield(L, -2, "tokens");
    lua_pushinteger(L, (lua_Integer)e->n_trained);
    lua_setfield(L, -2, "trained");
    lua_pushinteger(L, (lua_Integer)e->tree.n_prompt);
    lua_setfield(L, -2, "shared");
    hone_lua_new_list(L, (size_t)e->tree.n_seqs);
    for (size_t i = 0; i < e->tree.n_seqs; i++) {
        hone_lua_new_list(L, (size_t)e->seqs[i].n);
        for (size_t k = 0; k < e->seqs[i].n; k++) {
            lua_pushinteger(L, e->seqs[i].ids[k]);
            lua_rawseti(L, -2, (lua_Integer)k + 1);
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "ids");
    return 1;
}

hone_status hone__lua_examples(lua_State *L, int list, hone_arena *a, hone_train_tree **trees,
                               size_t *n)
{
    const size_t count = lua_rawlen(L, list);
    *n = 0;
    *trees = hone_arena_calloc(a, count + 1, sizeof **trees);
    if (!*trees)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        if (!luaL_testudata(L, -1, HONE_LUA_EXAMPLE)) {
            lua_pop(L, 1);
            return hone_fail(HONE_E_TYPE, "entry %zu of the batch is no example", i + 1);
        }
        hone__example *e = hone__lua_check(L, -1, HONE_LUA_EXAMPLE);
        lua_pop(L, 1);
        for (size_t k = 0; k < e->tree.n_seqs; k++)
            e->seqs[k].group = (uint32_t)i;
        (*trees)[(*n)++] = e->tree;
    }
    return HONE_OK;
}

/* core.topk(policy, examples, k, temperature) -> list of { k, temperature, ids, logprobs } */
static int l_topk(lua_State *L)
{
    hone_policy *p = hone__lua_check(L, 1, HONE_LUA_POLICY);
    luaL_checktype(L, 2, LUA_TTABLE);
    const lua_Integer k = luaL_checkinteger(L, 3);
    const double temperature = luaL_optnumber(L, 4, 1.0);
    hone_arena a;
    hone_train_tree *trees = NULL;
    size_t n_trees = 0;
    size_t at = 0, rows = 0, cells = 0;
    int32_t *ids = NULL;
    float *logp = NULL;
    hone_arena_init(&a, (size_t)4 << 30);
    hone_status s = hone__lua_examples(L, 2, &a, &trees, &n_trees);
    if (s >= 0 && (k < 1 || k > HONE_TOPK_MOST))
        s = hone_fail(HONE_E_RANGE, "topk: k is 1 to %d", HONE_TOPK_MOST);
    if (s >= 0) {
        rows = hone_policy_topk_rows(trees, n_trees);
        if (!hone_mul_size(rows, (size_t)k, &cells))
            s = hone_fail(HONE_E_LIMIT, "topk: %zu tokens are too many at once", rows);
    }
    if (s >= 0) {
        ids = hone_arena_calloc(&a, cells + 1, sizeof *ids);
        logp = hone_arena_calloc(&a, cells + 1, sizeof *logp);
        s = ids && logp ? hone_policy_topk(p, trees, n_trees, (uint32_t)k, temperature, ids, logp)
                        : HONE_E_NOMEM;
    }
    if (s < 0) {
        hone_arena_release(&a);
        return hone_lua_raise(L);
    }
    hone_lua_new_list(L, n_trees);
    for (size_t t = 0; t < n_trees; t++) {
        const size_t n = hone_policy_topk_rows(trees + t, 1) * (size_t)k;
        lua_createtable(L, 0, 4);
        lua_pushinteger(L, k);
        lua_setfield(L, -2, "k");
        lua_pushnumber(L, temperature);
        lua_setfield(L, -2, "temperature");
        hone_lua_new_list(L, n);
        hone_lua_new_list(L, n);
        for (size_t i = 0; i < n; i++, at++) {
            lua_pushinteger(L, ids[at]);
            lua_rawseti(L, -3, (lua_Integer)i + 1);
            lua_pushnumber(L, (double)logp[at]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_setfield(L, -3, "logprobs");
        lua_setfield(L, -2, "ids");
        lua_rawseti(L, -2, (lua_Integer)t + 1);
    }
    hone_arena_release(&a);
    return 1;
}

void hone__lua_open_example(lua_State *L)
{
    static const luaL_Reg funcs[] = {
        {"example", l_example}, {"example_info", l_example_info}, {"topk", l_topk}, {NULL, NULL}};
    hone__lua_type(L, HONE_LUA_EXAMPLE, example_release);
    luaL_setfuncs(L, funcs, 0);
}
