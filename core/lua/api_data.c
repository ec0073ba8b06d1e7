/* api_data.c - rows, tokenizers and statistics for recipes.
 *
 *   core.source(name, settings) -> data       core.rows(list) -> data
 *   core.data_stage(data, stage, ...) -> data     the chain grows; `data` is the longer chain
 *       "map" fn, "filter" fn, "shuffle" seed block, "take" n, "skip" n, "epochs" n,
 *       "split" { by, seed, from, to }, "batches" n partial, "select" list of names
 *   core.mix(list of data, weights, seed, stop) -> data       the parts are used up
 *   core.data_next(data) -> row or list, or nil
 *   core.data_save(data) -> table             core.data_restore(data, table)
 *   core.data_rewind(data, epoch), core.data_count(data), core.data_skipped(data)
 *   core.tokenizer(M or component) -> tokenizer, facts         also where a policy is wanted below
 *   core.encode(policy, text, special) -> ids     core.decode(policy, ids, skip_special) -> text
 *   core.pieces(policy, ids) -> texts             core.token_id(policy, text) -> id or nil
 *   core.bpe_train(texts, options) -> files, vocabulary size      files: name -> text
 *   core.unigram_train(texts, options) -> the same
 *   core.bootstrap(values, seed) -> mean, lo, hi, n     core.pass_at_k(n, c, k)
 *   core.random(seed, purpose, step, sample, index) -> [0, 1)
 *   core.hash(text) -> 64-bit integer             core.sha256(text) -> hex */
#include "lua/api.h"

#include "host/grant.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/rng.h"
#include "hone/source.h"
#include "text/unigram_train.h"
#include "train/source.h"
#include "train/stats.h"

#include <stdio.h>
#include <string.h>

typedef struct data_box {
    hone_data *d;
    char from[200]; /* " of rows.jsonl", for messages; "" when it has no file */
} data_box;

static void data_release(void *p)
{
    data_box *b = p;
    hone_data_close(b->d);
    hone_free(b);
}

static int push_data(lua_State *L, hone_data *d, hone_str file)
{
    data_box *b = hone_calloc(1, sizeof *b);
    if (!b) {
        hone_data_close(d);
        return HONE_E_NOMEM;
    }
    b->d = d;
    if (file.len)
        snprintf(b->from, sizeof b->from, " of %.*s", (int)(file.len < 190 ? file.len : 190),
                 file.ptr);
    hone__lua_push(L, b, HONE_LUA_SOURCE);
    return 1;
}

static data_box *check_data(lua_State *L, int index)
{
    data_box *b = hone__lua_check(L, index, HONE_LUA_SOURCE);
    if (!b->d)
        luaL_error(L, "these rows were used up by a mix");
    return b;
}

struct hone_data *hone__lua_data(lua_State *L, int index)
{
    return check_data(L, index)->d;
}

/* Granted to the recipe (`what`), or to this one component? */
static int granted(const hone_recipe *r, const hone_component_info *info, const char *what,
                   uint64_t cap)
{
    for (int i = 0; r->opt.allow && r->opt.allow[i]; i++)
        if (strcmp(r->opt.allow[i], what) == 0)
            return 1;
    return (hone_registry_granted(r->env.registry, info) & cap) != 0;
}

/* Its programs get what the host was told to give them, when it starts them. */
static int starts_by_host(const hone_component_info *info)
{
    for (size_t i = 0; info->c.needs && info->c.needs[i]; i++)
        if (strcmp(info->c.needs[i], HONE_IFACE_PROCESS) == 0)
            return 1;
    return 0;
}

/* DuckDB's query reads whatever it names, and `program` is any file: that is running a program, not reading the
 * files the recipe was given. What asks for the network asks with every setting. */
hone_status hone__lua_may_run(const hone_recipe *r, const char *source, const hone_value *settings)
{
    static const char *const powers[] = {"program", "query"};
    const hone_component_info *info;
    if (hone_registry_find_iface(r->env.registry, HONE_KIND_SOURCE, HONE_IFACE_SOURCE, source,
                                 &info) < 0)
        return HONE_OK; /* opening it says why */
    if (starts_by_host(info))
        return HONE_OK;
    if ((info->c.caps & HONE_CAP_NET) && !granted(r, info, "net", HONE_CAP_NET)) {
        hone_fail(HONE_E_REFUSED, "the source %s uses the network, which nobody allowed",
                  info->short_name);
        return hone_fail_hint("allow it: --allow=%s:net", info->short_name);
    }
    if (!(info->c.caps & HONE_CAP_EXEC) || granted(r, info, "exec", HONE_CAP_EXEC))
        return HONE_OK;
    for (int i = 0; i < 2; i++) {
        const hone_value *v = hone_value_get(settings, powers[i]);
        if (v && (v->type != HONE_STRING || v->u.str.len)) {
            hone_fail(HONE_E_REFUSED, "the recipe may not set the source's %s: it runs a program",
                      powers[i]);
            return hone_fail_hint("allow it: --allow=exec");
        }
    }
    return HONE_OK;
}

static int l_source(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    hone_arena a;
    hone_value settings;
    hone_data *d = NULL;
    hone_str file = {NULL, 0};
    hone_status s;
    hone_arena_init(&a, 0);
    if (lua_isuserdata(L, 1)) {
        hone_lua_comp *c = hone__lua_check(L, 1, HONE_LUA_COMPONENT);
        s = c->instance ? hone_data_open_instance(c->instance, &d)
                        : hone_fail(HONE_E_TYPE, "a source component is wanted");
    } else {
        const char *name = luaL_checkstring(L, 1);
        s = hone__lua_options(L, 2, &a, &settings);
        if (s >= 0)
            s = hone__lua_may_run(r, name, &settings);
        if (s >= 0)
            s = hone_data_open(r->env.registry, name, &settings, &d);
        const hone_value *path = s >= 0 ? hone_value_get(&settings, "path") : NULL;
        if (path && path->type == HONE_STRING)
            file = path->u.str;
    }
    if (s >= 0)
        s = push_data(L, d, file);
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : s;
}

static int l_rows(lua_State *L)
{
    hone_arena a;
    hone_value list;
    hone_data *d = NULL;
    hone_arena_init(&a, (size_t)8 << 30);
    hone_status s = hone_lua_to_value(L, 1, &a, &list);
    if (s >= 0 && list.type == HONE_MAP && list.u.map.n == 0)
        list = (hone_value){.type = HONE_LIST};
    if (s >= 0)
        s = hone_data_open_list(&list, &d);
    hone_arena_release(&a);
    if (s >= 0)
        s = push_data(L, d, (hone_str){NULL, 0});
    return s < 0 ? hone_lua_raise(L) : s;
}

/* ---- stages -------------------------------------------------------------------------------------------------- */

typedef struct stage_fn {
    hone_recipe *r;
    int fn, filter;
    char stream[32]; /* of math.random: "map 2" */
    char from[200];  /* as in data_box */
} stage_fn;

static void stage_drop(void *ctx)
{
    stage_fn *f = ctx;
    if (f->r->L)
        luaL_unref(f->r->L, LUA_REGISTRYINDEX, f->fn);
    hone_free(f);
}

/* "the row has the columns answer, question", for a hint. */
static void name_columns(const hone_value *row, char *out, size_t n)
{
    size_t at = (size_t)snprintf(out, n, "the row has %s",
                                 row->u.map.n == 1 ? "the column " : "the columns ");
    for (size_t i = 0; i < row->u.map.n && at < n; i++) {
        hone_str key = row->u.map.pairs[i].key;
        at += (size_t)snprintf(out + at, n - at, "%s%.*s", i ? ", " : "",
                               (int)(key.len < 64 ? key.len : 64), key.ptr);
    }
}

static hone_status stage_call(void *ctx, hone_data_place place, hone_arena *arena,
                              const hone_value *in, hone_value *out)
{
    stage_fn *f = ctx;
    lua_State *L = f->r->L;
    hone_lua *l = hone_lua_of(L);
    char what[300], hint[256];
    if (!lua_checkstack(L, 16))
        return hone_fail(HONE_E_LIMIT, "the Lua stack is full");
    snprintf(what, sizeof what, "%s, row %llu%s", f->filter ? "filter" : "map",
             (unsigned long long)place.row, f->from);
    name_columns(in, hint, sizeof hint);
    lua_rawgeti(L, LUA_REGISTRYINDEX, f->fn);
    hone_lua_push_value(L, in);
    hone_lua_random outer = hone_lua_random_enter(l, f->stream, place.epoch, place.row);
    hone_status s = hone__lua_call(L, 1, 1, what, hint);
    hone_lua_random_set(l, &outer);
    if (s < 0)
        return s;
    s = 1;
    if (f->filter)
        s = lua_toboolean(L, -1);
    else if (lua_isnil(L, -1))
        s = 0;
    else if (!lua_istable(L, -1))
        s = hone_fail(
            HONE_E_TYPE,
            "%s: a map function must return a table (a row), or nil to leave the row out; "
            "this one returned a %s",
            what, luaL_typename(L, -1));
    else if (hone_lua_to_value(L, -1, arena, out) < 0)
        s = hone_fail_at("%s", what);
    else if (out->type != HONE_MAP)
        s = hone_fail(HONE_E_TYPE, "%s: a row is a table with named columns, and this is a list",
                      what);
    lua_pop(L, 1);
    return s;
}

static hone_status add_fn(lua_State *L, data_box *b, int filter)
{
    luaL_checktype(L, 3, LUA_TFUNCTION);
    stage_fn *f = hone_calloc(1, sizeof *f);
    if (!f)
        return HONE_E_NOMEM;
    lua_pushvalue(L, 3);
    f->r = hone__lua_recipe(L);
    memcpy(f->from, b->from, sizeof f->from);
    f->fn = luaL_ref(L, LUA_REGISTRYINDEX);
    f->filter = filter;
    snprintf(f->stream, sizeof f->stream, "map %u", ++f->r->n_stages);
    hone_status s = hone_data_map(&b->d, stage_call, f, stage_drop);
    if (s < 0)
        stage_drop(f);
    return s;
}

static uint64_t count_arg(lua_State *L, int index, lua_Integer dflt)
{
    lua_Integer n = luaL_optinteger(L, index, dflt);
    luaL_argcheck(L, n >= 0, index, "must not be negative");
    return (uint64_t)n;
}

static hone_status add_split(lua_State *L, data_box *b)
{
    const char *by = NULL;
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_getfield(L, 3, "by");
    if (!lua_isnil(L, -1))
        by = luaL_checkstring(L, -1);
    lua_getfield(L, 3, "seed");
    lua_getfield(L, 3, "from");
    lua_getfield(L, 3, "to");
    return hone_data_split(&b->d, by, (uint64_t)luaL_optinteger(L, -3, 0), luaL_optnumber(L, -2, 0),
                           luaL_optnumber(L, -1, 1));
}

static hone_status add_select(lua_State *L, data_box *b)
{
    luaL_checktype(L, 3, LUA_TTABLE);
    size_t n = lua_rawlen(L, 3);
    if (n > 1000)
        return hone_fail(HONE_E_LIMIT, "select: %zu columns", n);
    hone_str *names = lua_newuserdatauv(L, (n ? n : 1) * sizeof *names, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 3, (lua_Integer)i + 1); /* the table keeps the text */
        if (lua_type(L, -1) != LUA_TSTRING)
            return hone_fail(HONE_E_TYPE, "select: column %zu is no name", i + 1);
        names[i].ptr = lua_tolstring(L, -1, &names[i].len);
        lua_pop(L, 1);
    }
    return hone_data_select(&b->d, names, n);
}

static int l_data_stage(lua_State *L)
{
    static const char *const names[] = {"map",    "filter", "shuffle", "take",   "skip",
                                        "epochs", "split",  "batches", "select", NULL};
    data_box *b = check_data(L, 1);
    hone_status s = HONE_OK;
    switch (luaL_checkoption(L, 2, NULL, names)) {
    case 0:
    case 1:
        s = add_fn(L, b, strcmp(lua_tostring(L, 2), "filter") == 0);
        break;
    case 2:
        s = hone_data_shuffle(&b->d, (uint64_t)luaL_checkinteger(L, 3), count_arg(L, 4, 0));
        break;
    case 3:
        s = hone_data_take(&b->d, count_arg(L, 3, 0));
        break;
    case 4:
        s = hone_data_skip(&b->d, count_arg(L, 3, 0));
        break;
    case 5:
        s = hone_data_epochs(&b->d, count_arg(L, 3, 0));
        break;
    case 6:
        s = add_split(L, b);
        break;
    case 8:
        s = add_select(L, b);
        break;
    default:
        s = hone_data_batches(&b->d, count_arg(L, 3, 1), lua_toboolean(L, 4));
        break;
    }
    if (s < 0)
        return hone_lua_raise(L);
    lua_settop(L, 1);
    return 1;
}

static int l_mix(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t n = lua_rawlen(L, 1);
    hone_data **parts = lua_newuserdatauv(L, (n ? n : 1) * sizeof *parts, 0), *out = NULL;
    double *weights = lua_newuserdatauv(L, (n ? n : 1) * sizeof *weights, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        parts[i] = check_data(L, -2)->d;
        weights[i] = luaL_optnumber(L, -1, 1);
        lua_pop(L, 2);
    }
    if (hone_data_mix(parts, weights, n, (uint64_t)luaL_optinteger(L, 3, 0), lua_toboolean(L, 4),
                      &out) < 0)
        return hone_lua_raise(L);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        check_data(L, -1)->d = NULL;
        lua_pop(L, 1);
    }
    hone_status s = push_data(L, out, (hone_str){NULL, 0});
    return s < 0 ? hone_lua_raise(L) : s;
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

static int l_data_next(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    data_box *b = check_data(L, 1);
    hone_arena a;
    hone_value row;
    r->L = L;
    hone_arena_init(&a, (size_t)4 << 30);
    hone_status s = hone_data_next(b->d, &a, &row);
    if (s > 0)
        hone_lua_push_value(L, &row);
    hone_arena_release(&a);
    if (s < 0)
        return hone_lua_raise(L);
    return s > 0 ? 1 : 0;
}

static int l_data_save(lua_State *L)
{
    data_box *b = check_data(L, 1);
    hone_buf buf;
    hone_jw w;
    hone_arena a;
    hone_value v;
    hone_buf_init(&buf, (size_t)1 << 26);
    hone_arena_init(&a, 0);
    hone_jw_init(&w, &buf, 0);
    hone_status s = hone_data_save(b->d, &w);
    if (s >= 0 && buf.failed < 0)
        s = buf.failed;
    if (s >= 0)
        s = hone_json_parse(buf.ptr, buf.len, "data position", &a, &v);
    hone_buf_release(&buf);
    if (s >= 0)
        hone_lua_push_value(L, &v);
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : 1;
}

static int l_data_restore(lua_State *L)
{
    data_box *b = check_data(L, 1);
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    hone_status s = hone_lua_to_value(L, 2, &a, &v);
    hone__lua_recipe(L)->L = L;
    if (s >= 0)
        s = hone_data_restore(b->d, &v);
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : 0;
}

static int l_data_rewind(lua_State *L)
{
    hone__lua_recipe(L)->L = L;
    return hone_data_rewind(check_data(L, 1)->d, count_arg(L, 2, 0)) < 0 ? hone_lua_raise(L) : 0;
}

static int l_data_count(lua_State *L)
{
    lua_pushinteger(L, hone_data_count(check_data(L, 1)->d));
    return 1;
}

static int l_data_skipped(lua_State *L)
{
    lua_pushinteger(L, hone_data_skipped(check_data(L, 1)->d));
    return 1;
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

static void tokenizer_release(void *p)
{
    hone_text_side_unref(p);
}

/* core.tokenizer(M or a component) -> tokenizer, facts */
static int l_tokenizer(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    hone_text_side *t = NULL;
    char *path = NULL, hex[65];
    hone_status s;
    if (lua_isuserdata(L, 1)) {
        hone_lua_comp *c = hone__lua_check(L, 1, HONE_LUA_COMPONENT);
        s = c->instance ? hone_text_side_from(c->instance, &t)
                        : hone_fail(HONE_E_TYPE, "a tokenizer component is wanted");
    } else {
        s = hone__lua_model_path(r, luaL_checkstring(L, 1), &path);
    }
    if (s >= 0 && !t)
        s = hone_text_side_open(&r->env, path, &t);
    if (s >= 0 && !t->tokenizer_instance) {
        hone_text_side_unref(t);
        s = hone_fail(HONE_E_NOT_FOUND, "%s has no tokenizer", path);
        hone_fail_hint("name a folder with tokenizer.json, or a GGUF file with a vocabulary");
    }
    hone_free(path);
    if (s < 0)
        return hone_lua_raise(L);
    hone__lua_push(L, t, HONE_LUA_TOKENIZER);
    const struct {
        const char *name;
        int32_t id;
    } ids[] = {{"vocab_size", t->tokenizer.vocab_size},
               {"bos", t->tokenizer.bos},
               {"eos", t->tokenizer.eos},
               {"pad", t->tokenizer.pad},
               {"unk", t->tokenizer.unk}};
    lua_createtable(L, 0, 6);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        if (ids[i].id < 0)
            continue;
        lua_pushinteger(L, ids[i].id);
        lua_setfield(L, -2, ids[i].name);
    }
    hone_tokenizer_fingerprint(&t->tokenizer, hex);
    lua_pushstring(L, hex);
    lua_setfield(L, -2, "fingerprint");
    return 2;
}

/* Of a policy or a tokenizer. */
static const hone_tokenizer *tokenizer_of(lua_State *L, int index)
{
    if (luaL_testudata(L, index, HONE_LUA_TOKENIZER))
        return &((hone_text_side *)hone__lua_check(L, index, HONE_LUA_TOKENIZER))->tokenizer;
    hone_policy *p = hone__lua_check(L, index, HONE_LUA_POLICY);
    if (!p->text || !p->text->tokenizer_instance)
        luaL_error(L, "this policy has no tokenizer");
    return &p->text->tokenizer;
}

static int l_encode(lua_State *L)
{
    const hone_tokenizer *t = tokenizer_of(L, 1);
    hone_str text;
    hone_tokens ids;
    text.ptr = luaL_checklstring(L, 2, &text.len);
    hone_tokens_init(&ids, 0);
    if (hone_tokenizer_encode(
            t, text, lua_toboolean(L, 3) ? HONE_ENCODE_SPECIAL | HONE_ENCODE_ADD : 0, &ids) < 0) {
        hone_tokens_release(&ids);
        return hone_lua_raise(L);
    }
    hone_lua_new_list(L, (size_t)ids.n);
    for (size_t i = 0; i < ids.n; i++) {
        lua_pushinteger(L, ids.ids[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    hone_tokens_release(&ids);
    return 1;
}

static int32_t check_id(lua_State *L, const hone_tokenizer *t, int index)
{
    lua_Integer id = luaL_checkinteger(L, index);
    if (id < 0 || id >= t->vocab_size)
        luaL_error(L, "id %I is outside the vocabulary of %d", (LUAI_UACINT)id, (int)t->vocab_size);
    return (int32_t)id;
}

/* core.pieces(tokenizer, ids) -> list of the bytes of each */
static int l_pieces(lua_State *L)
{
    const hone_tokenizer *t = tokenizer_of(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t n = lua_rawlen(L, 2);
    hone_lua_new_list(L, (size_t)n);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        hone_str piece = hone_tokenizer_token_bytes(t, check_id(L, t, -1));
        lua_pop(L, 1);
        lua_pushlstring(L, piece.ptr ? piece.ptr : "", piece.ptr ? piece.len : 0);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* core.token_id(tokenizer, text) -> id or nil: by its text in the vocabulary */
static int l_token_id(lua_State *L)
{
    hone_str text;
    const hone_tokenizer *t = tokenizer_of(L, 1);
    text.ptr = luaL_checklstring(L, 2, &text.len);
    int32_t id = hone_tokenizer_id(t, text);
    if (id < 0)
        return 0;
    lua_pushinteger(L, id);
    return 1;
}

static int l_decode(lua_State *L)
{
    const hone_tokenizer *t = tokenizer_of(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t n = lua_rawlen(L, 2);
    int32_t *ids = lua_newuserdatauv(L, (n ? n : 1) * sizeof *ids, 0);
    hone_buf b;
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        ids[i] = check_id(L, t, -1);
        lua_pop(L, 1);
    }
    uint32_t flags = lua_toboolean(L, 3) ? HONE_DECODE_SKIP_SPECIAL : 0;
    hone_buf_init(&b, (size_t)1 << 28);
    hone_status s = hone_tokenizer_decode(t, ids, n, flags, &b);
    if (s >= 0)
        lua_pushlstring(L, b.ptr, b.len);
    hone_buf_release(&b);
    return s < 0 ? hone_lua_raise(L) : 1;
}

/* options: vocab_size, special = { texts }, single_digits, min_count, bos, eos, pad, chat_template */
static hone_status read_bpe(const hone_value *o, hone_arena *a, hone_bpe_train_config *cfg)
{
    int64_t size;
    const hone_value *special = hone_value_get(o, "special");
    HONE_TRY(hone_value_i64(o, "vocab_size", 512, &size));
    HONE_TRY(hone_value_i64(o, "min_count", 1, &cfg->min_count));
    HONE_TRY(hone_value_bool(o, "single_digits", 0, &cfg->single_digits));
    HONE_TRY(hone_value_string(o, "bos", cfg->bos, &cfg->bos));
    HONE_TRY(hone_value_string(o, "eos", cfg->eos, &cfg->eos));
    HONE_TRY(hone_value_string(o, "pad", cfg->pad, &cfg->pad));
    HONE_TRY(hone_value_string(o, "chat_template", cfg->chat_template, &cfg->chat_template));
    if (size < 1)
        return hone_fail(HONE_E_RANGE, "vocab_size %lld: must be positive", (long long)size);
    cfg->vocab_size = (size_t)size;
    if (special && special->type == HONE_LIST) {
        hone_str *list = hone_arena_calloc(a, special->u.list.n, sizeof *list);
        if (!list)
            return HONE_E_NOMEM;
        for (size_t i = 0; i < special->u.list.n; i++) {
            if (special->u.list.items[i].type != HONE_STRING)
                return hone_fail(HONE_E_TYPE, "special: a list of texts");
            list[i] = special->u.list.items[i].u.str;
        }
        cfg->special = list;
        cfg->n_special = special->u.list.n;
    }
    return HONE_OK;
}

static hone_status read_unigram(const hone_value *o, hone_unigram_train_config *cfg)
{
    int64_t piece = 16, seeds = 1000000;
    HONE_TRY(hone_value_i64(o, "max_piece", piece, &piece));
    HONE_TRY(hone_value_i64(o, "seeds", seeds, &seeds));
    HONE_TRY(hone_value_f64(o, "shrink", 0.75, &cfg->shrink));
    if (piece < 1 || seeds < 1 || !(cfg->shrink > 0 && cfg->shrink < 1))
        return hone_fail(HONE_E_RANGE,
                         "max_piece and seeds must be positive, shrink between 0 and 1");
    cfg->max_piece = (size_t)piece;
    cfg->seeds = (size_t)seeds;
    return HONE_OK;
}

/* One of the two trainers: what differs is the configuration and the call. */
static int train_tokenizer(lua_State *L, int unigram)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t n = lua_rawlen(L, 1);
    hone_str *texts = lua_newuserdatauv(L, (n ? n : 1) * sizeof *texts, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        texts[i].ptr = luaL_checklstring(L, -1, &texts[i].len); /* the list keeps it alive */
        lua_pop(L, 1);
    }
    hone_arena a;
    hone_value o;
    hone_buf tok, config;
    hone_bpe_train_config cfg = {0};
    hone_bpe_train_info info = {0};
    hone_arena_init(&a, 0);
    hone_buf_init(&tok, (size_t)1 << 28);
    hone_buf_init(&config, (size_t)1 << 24);
    hone_status s = hone__lua_options(L, 2, &a, &o);
    if (s >= 0)
        s = read_bpe(&o, &a, &cfg);
    if (s >= 0 && unigram) {
        hone_unigram_train_config more = {.base = cfg};
        s = read_unigram(&o, &more);
        if (s >= 0)
            s = hone_unigram_train(texts, n, &more, &tok, &config, &info);
    } else if (s >= 0) {
        s = hone_bpe_train(texts, n, &cfg, &tok, &config, &info);
    }
    if (s >= 0) {
        lua_newtable(L);
        lua_pushlstring(L, tok.ptr, tok.len);
        lua_setfield(L, -2, "tokenizer.json");
        lua_pushlstring(L, config.ptr, config.len);
        lua_setfield(L, -2, "tokenizer_config.json");
        lua_pushinteger(L, (lua_Integer)info.vocab_size);
    }
    hone_buf_release(&tok);
    hone_buf_release(&config);
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : 2;
}

static int l_bpe_train(lua_State *L)
{
    return train_tokenizer(L, 0);
}

static int l_unigram_train(lua_State *L)
{
    return train_tokenizer(L, 1);
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

static int l_bootstrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t n = lua_rawlen(L, 1);
    double *v = lua_newuserdatauv(L, (n ? n : 1) * sizeof *v, 0);
    hone_interval iv;
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        v[i] = luaL_checknumber(L, -1);
        lua_pop(L, 1);
    }
    if (hone_bootstrap(v, n, (uint64_t)luaL_optinteger(L, 2, 0), &iv) < 0)
        return hone_lua_raise(L);
    lua_pushnumber(L, iv.mean);
    lua_pushnumber(L, iv.lo);
    lua_pushnumber(L, iv.hi);
    lua_pushinteger(L, (lua_Integer)iv.n);
    return 4;
}

static int l_pass_at_k(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1), c = luaL_checkinteger(L, 2),
                k = luaL_checkinteger(L, 3);
    luaL_argcheck(L, n > 0 && c >= 0 && c <= n && k > 0 && k <= n, 1,
                  "0 <= c <= n and 1 <= k <= n are wanted");
    lua_pushnumber(L, hone_pass_at_k((uint32_t)n, (uint32_t)c, (uint32_t)k));
    return 1;
}

static hone_rng_key key_of(lua_State *L)
{
    hone_rng_key k = {.seed = (uint64_t)luaL_checkinteger(L, 1), .purpose = HONE_RNG_USER};
    k.purpose = hone_rng_purpose(luaL_optstring(L, 2, "recipe"));
    k.step = (uint64_t)luaL_optinteger(L, 3, 0);
    k.sample = (uint64_t)luaL_optinteger(L, 4, 0);
    return k;
}

static int l_random(lua_State *L)
{
    hone_rng_key k = key_of(L);
    lua_pushnumber(L, hone_rng_uniform(&k, (uint64_t)luaL_optinteger(L, 5, 0)));
    return 1;
}

static int l_hash(lua_State *L)
{
    size_t n;
    const char *z = luaL_checklstring(L, 1, &n);
    lua_pushinteger(L, (lua_Integer)hone_xxh64(z, n, (uint64_t)luaL_optinteger(L, 2, 0)));
    return 1;
}

static int l_sha256(lua_State *L)
{
    size_t n;
    const char *z = luaL_checklstring(L, 1, &n);
    char hex[65];
    hone_sha256_of(z, n, hex);
    lua_pushstring(L, hex);
    return 1;
}

void hone__lua_open_data(lua_State *L)
{
    static const luaL_Reg funcs[] = {{"source", l_source},
                                     {"rows", l_rows},
                                     {"data_stage", l_data_stage},
                                     {"mix", l_mix},
                                     {"data_next", l_data_next},
                                     {"data_save", l_data_save},
                                     {"data_restore", l_data_restore},
                                     {"data_rewind", l_data_rewind},
                                     {"data_count", l_data_count},
                                     {"data_skipped", l_data_skipped},
                                     {"encode", l_encode},
                                     {"decode", l_decode},
                                     {"pieces", l_pieces},
                                     {"token_id", l_token_id},
                                     {"tokenizer", l_tokenizer},
                                     {"bpe_train", l_bpe_train},
                                     {"unigram_train", l_unigram_train},
                                     {"bootstrap", l_bootstrap},
                                     {"pass_at_k", l_pass_at_k},
                                     {"random", l_random},
                                     {"hash", l_hash},
                                     {"sha256", l_sha256},
                                     {NULL, NULL}};
    hone__lua_type(L, HONE_LUA_SOURCE, data_release);
    hone__lua_type(L, HONE_LUA_TOKENIZER, tokenizer_release);
    luaL_setfuncs(L, funcs, 0);
}
