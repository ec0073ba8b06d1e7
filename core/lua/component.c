/* component.c - a Lua table as a hone_component. See component.h.
 *
 * Key idea: the vtable that C sees is filled with libffi closures, one per function of the table (what they
 * do is component_call.c's); absent functions stay NULL, but where a kind has a sensible default. Numbers of
 * the vtable (flags) come from keys of their names. `fields` become a table of settings that the host checks
 * like a plugin's; create(config) makes what each instance's functions get as their first argument.
 *
 * Invariants: a component lives as long as its state; closures do too.
 * Source: plugin-abi.md section 8. */
#include "hone/hone.h"

#include "lua/component_private.h"

#include "abi/config.h"
#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

hone_status hone_lua_component_probe(void)
{
    static int state; /* 0 unknown, 1 yes, -1 no [control-thread] */
    if (!state) {
        void *code = NULL;
        ffi_closure *c = ffi_closure_alloc(sizeof *c, &code);
        state = c && code ? 1 : -1;
        if (c)
            ffi_closure_free(c);
    }
    if (state > 0)
        return HONE_OK;
    hone_fail(HONE_E_UNSUPPORTED,
              "components cannot be written in Lua here: this machine refuses executable pages");
    return hone_fail_hint(
        "write the component in C, or allow the program executable memory (SELinux: execmem)");
}

/* ---- instances --------------------------------------------------------------------------------- */

struct creation {
    hone__lua_instance *self;
    const hone_config *cfg;
    int refused;
    char why[200];
};

/* The settings as a table. */
static void push_config(lua_State *L, const hone__lua_component *lc, const hone_config *cfg)
{
    lua_newtable(L);
    for (uint32_t i = 0; lc->fields[i]; i++) {
        const hone_field *f = lc->fields[i];
        hone_str text;
        switch (f->type) {
        case HONE_FIELD_F64:
            lua_pushnumber(L, cfg->f64(cfg, i));
            break;
        case HONE_FIELD_I64:
            lua_pushinteger(L, cfg->i64(cfg, i));
            break;
        case HONE_FIELD_BOOL:
            lua_pushboolean(L, cfg->i64(cfg, i) != 0);
            break;
        case HONE_FIELD_STR:
            text = cfg->str(cfg, i);
            lua_pushlstring(L, text.ptr ? text.ptr : "", text.ptr ? text.len : 0);
            break;
        default: {
            const hone_value *v = cfg->value(cfg, i);
            if (v)
                hone_lua_push_value(L, v);
            else
                lua_pushnil(L);
            break;
        }
        }
        lua_setfield(L, -2, f->name);
    }
}

/* create(config) -> what the functions get first; nil [, why]: it does not take this configuration. */
static void create_body(void *arg, lua_State *L, int frame)
{
    struct creation *c = arg;
    hone__lua_component *lc = c->self->lc;
    (void)frame;
    push_config(L, lc, c->cfg);
    if (lc->object != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, lc->object);
        lua_insert(L, -2);
        lua_call(L, 1, 2);
        if (!lua_toboolean(L, -2)) {
            c->refused = 1;
            snprintf(c->why, sizeof c->why, "%s",
                     lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
                                                    : "does not take this configuration");
            return;
        }
        lua_pop(L, 1);
    }
    c->self->object = luaL_ref(L, LUA_REGISTRYINDEX);
}

static hone_status create_instance(hone__lua_component *lc, const hone_host *host,
                                   const hone_config *cfg, void **self_out)
{
    hone__lua_instance *self = hone_calloc(1, sizeof *self);
    if (!self)
        return (host->fail)(host, HONE_E_NOMEM, hone_str_c("out of memory"));
    struct creation c = {.self = self, .cfg = cfg};
    hone_status s = HONE_OK;
    self->host = host;
    self->lc = lc;
    self->object = LUA_NOREF;
    if (lc->object != LUA_NOREF || (lc->fields[0] && !lc->reads_nothing))
        s = hone__lua_enter(lc, host, create_body, &c, 0, "create");
    else if (lc->reads_nothing &&
             cfg->is_set(cfg, 0)) /* a tokenizer that is used by its name only */
        s = (host->fail)(host, HONE_E_UNSUPPORTED, hone_str_c("reads no files: it has no create"));
    if (s >= 0 && c.refused)
        s = (host->fail)(host, HONE_E_UNSUPPORTED, hone_str_c(c.why));
    if (s < 0)
        hone_free(self);
    else
        *self_out = self;
    return s;
}

static void create_called(ffi_cif *cif, void *ret, void **args, void *ud)
{
    (void)cif;
    *(ffi_sarg *)ret = create_instance(ud, *(const hone_host **)args[0],
                                       *(const hone_config **)args[1], *(void ***)args[2]);
}

static void destroy(void *p)
{
    hone__lua_instance *self = p;
    if (self->object != LUA_NOREF && self->lc->l->L)
        luaL_unref(self->lc->l->L, LUA_REGISTRYINDEX, self->object);
    hone_free(self->config_json);
    hone_free(self);
}

static const void *get_iface(void *p, const char *id)
{
    const hone__lua_instance *self = p;
    return strcmp(id, self->lc->iface->id) == 0 ? self->lc->vt : NULL;
}

/* ---- what a table may leave out ---------------------------------------------------------------- */

static uint32_t default_uses(void *self)
{
    return ((hone__lua_instance *)self)->lc->uses;
}

static hone_str default_show(void *self)
{
    return hone_str_c(((hone__lua_instance *)self)->lc->show);
}

/* Never chosen by looking at a model: only a recipe that names it gets it. */
static int32_t default_probe(void *self, hone_str format, const hone_value *config)
{
    (void)self;
    (void)format;
    (void)config;
    return 0;
}

static hone_status default_state_spec(void *self, const hone_opt_param *param,
                                      hone_opt_state_spec *out)
{
    const hone__lua_component *lc = ((hone__lua_instance *)self)->lc;
    (void)param;
    out->n_buffers = lc->n_buffers;
    memcpy(out->names, lc->buffers, sizeof out->names);
    return HONE_OK;
}

static hone_status default_flush(void *self)
{
    (void)self;
    return HONE_OK;
}

static hone_str default_config_json(void *self)
{
    const char *text = ((hone__lua_instance *)self)->config_json;
    return hone_str_c(text ? text : "{}");
}

static void put_default(void *vt, size_t offset, const void *fn, size_t size)
{
    static const char zero[sizeof(void *)];
    if (memcmp((char *)vt + offset, zero, size) == 0)
        memcpy((char *)vt + offset, fn, size);
}

static void fill_defaults(hone__lua_component *lc)
{
    uint32_t (*uses)(void *) = default_uses;
    hone_str (*show)(void *) = default_show, (*config_json)(void *) = default_config_json;
    int32_t (*probe)(void *, hone_str, const hone_value *) = default_probe;
    hone_status (*spec)(void *, const hone_opt_param *, hone_opt_state_spec *) = default_state_spec;
    hone_status (*flush)(void *) = default_flush;
    if (strcmp(lc->iface->id, HONE_IFACE_OBJECTIVE) == 0) {
        put_default(lc->vt, offsetof(hone_objective_v1, uses), &uses, sizeof uses);
        put_default(lc->vt, offsetof(hone_objective_v1, show), &show, sizeof show);
    } else if (strcmp(lc->iface->id, HONE_IFACE_ADVANTAGE) == 0) {
        put_default(lc->vt, offsetof(hone_advantage_v1, show), &show, sizeof show);
    } else if (strcmp(lc->iface->id, HONE_IFACE_OPTIMIZER) == 0) {
        put_default(lc->vt, offsetof(hone_optimizer_v1, state_spec), &spec, sizeof spec);
    } else if (strcmp(lc->iface->id, HONE_IFACE_SINK) == 0) {
        put_default(lc->vt, offsetof(hone_sink_v1, flush), &flush, sizeof flush);
    } else if (strcmp(lc->iface->id, HONE_IFACE_MODEL) == 0) {
        put_default(lc->vt, offsetof(hone_model_v1, probe), &probe, sizeof probe);
        put_default(lc->vt, offsetof(hone_model_v1, config_json), &config_json, sizeof config_json);
    }
}

/* ---- building ---------------------------------------------------------------------------------- */

/* The one interface that components of a kind have; a table may name another with iface = "...". */
static const hone_iface_desc *iface_of(lua_State *L, const char *kind, const char *given)
{
    hone_lua *l = hone_lua_of(L);
    const hone_iface_desc *d = NULL;
    if (given)
        d = l->opts.registry ? hone_registry_iface(l->opts.registry, given)
                             : hone_desc_builtin(given);
    else if (strcmp(kind, "advantage") == 0)
        d = hone_desc_builtin(HONE_IFACE_ADVANTAGE);
    else
        for (size_t i = 0; !d && hone_desc_builtins()[i]; i++)
            if (hone_desc_builtins()[i]->kind && strcmp(hone_desc_builtins()[i]->kind, kind) == 0)
                d = hone_desc_builtins()[i];
    for (size_t i = 0;
         !d && !given && l->opts.registry && i < hone_registry_n_plugins(l->opts.registry); i++) {
        const hone_plugin *p = hone_registry_plugin(l->opts.registry, i);
        for (size_t k = 0; !d && p->ifaces && p->ifaces[k]; k++)
            if (p->ifaces[k]->kind && strcmp(p->ifaces[k]->kind, kind) == 0)
                d = p->ifaces[k];
    }
    if (!d && given)
        luaL_error(L, "nobody has described the interface \"%s\"", given);
    if (!d)
        luaL_error(L, "there is no kind \"%s\"", kind);
    return d;
}

static const char *field_text(lua_State *L, int t, const char *key, const char *dflt)
{
    hone_lua *l = hone_lua_of(L);
    size_t n;
    if (lua_getfield(L, t, key) == LUA_TNIL) {
        lua_pop(L, 1);
        return dflt;
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "%s: a string is expected", key);
    const char *s = lua_tolstring(L, -1, &n);
    char *copy = hone_arena_strndup(&l->arena, s, n);
    if (!copy)
        hone_lua_raise(L);
    lua_pop(L, 1);
    return copy;
}

static uint32_t read_uses(lua_State *L, int t)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } names[] = {{"old", HONE_OBJ_OLD},
                 {"ref", HONE_OBJ_REF},
                 {"sampler", HONE_OBJ_SAMPLER},
                 {"entropy", HONE_OBJ_ENTROPY},
                 {"value", HONE_OBJ_VALUE},
                 {"behind", HONE_OBJ_BEHIND},
                 {"advantage", HONE_OBJ_ADVANTAGE},
                 {"pairs", HONE_OBJ_PAIRS},
                 {"unpaired", HONE_OBJ_UNPAIRED},
                 {"whole_batch", HONE_OBJ_WHOLE_BATCH}};
    uint32_t uses = 0;
    if (lua_getfield(L, t, "uses") != LUA_TTABLE) {
        int nil = lua_isnil(L, -1) || lua_isfunction(L, -1);
        lua_pop(L, 1);
        if (!nil)
            luaL_error(L, "uses: a list of names is expected: old, ref, sampler, entropy, value, "
                          "advantage, pairs");
        return 0;
    }
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
        uint32_t bit = 0;
        for (size_t k = 0; k < sizeof names / sizeof *names && lua_type(L, -1) == LUA_TSTRING; k++)
            if (strcmp(names[k].name, lua_tostring(L, -1)) == 0)
                bit = names[k].bit;
        if (!bit)
            luaL_error(L, "uses: \"%s\" is nothing an objective can read",
                       luaL_tolstring(L, -1, NULL));
        uses |= bit;
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
    return uses;
}

/* A number of the vtable itself, such as `flags`. */
static int is_number(const hone_member *m)
{
    return !m->flags && m->type >= HONE_T_U8 && m->type <= HONE_T_F64;
}

static void check_keys(lua_State *L, int t, const hone_iface_desc *d, int source)
{
    static const char *const known[] = {"kind",   "id",     "version", "summary", "license",
                                        "vendor", "iface",  "caps",    "fields",  "create",
                                        "state",  "module", NULL};
    static const char *const of_source[] = {"next", "position", "seek", "row_count", NULL};
    static const char *const of_objective[] = {"uses", "show", NULL};
    static const char *const of_optimizer[] = {"elementwise", "buffers", NULL};
    static const char *const none[] = {NULL};
    const char *const *more = source                                     ? of_source
                              : strcmp(d->id, HONE_IFACE_OBJECTIVE) == 0 ? of_objective
                              : strcmp(d->id, HONE_IFACE_ADVANTAGE) == 0 ? of_objective + 1
                              : strcmp(d->id, HONE_IFACE_OPTIMIZER) == 0 ? of_optimizer
                                                                         : none;
    const char *names[160];
    size_t n = 0;
    for (size_t i = 0; known[i]; i++)
        names[n++] = known[i];
    for (size_t i = 0; more[i]; i++)
        names[n++] = more[i];
    for (size_t i = 0; !source && d->table->slots[i] && n < 120; i++)
        names[n++] = d->table->slots[i]->name;
    for (size_t i = 0; !source && d->table->members[i] && n < 159; i++)
        if (is_number(d->table->members[i]))
            names[n++] = d->table->members[i]->name;
    names[n] = NULL;
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        size_t i = 0;
        while (key && i < n && strcmp(names[i], key) != 0)
            i++;
        if (key && i < n)
            continue;
        const char *close = key ? hone_closest(key, names) : NULL;
        hone_fail(HONE_E_INVALID, "a component of kind %s has no \"%s\"", d->kind ? d->kind : "?",
                  key ? key : luaL_tolstring(L, -2, NULL));
        if (close)
            hone_fail_hint("did you mean \"%s\"?", close);
        hone_lua_raise(L);
    }
}

/* caps = { "deterministic", ... }: what it is. What it asks for is nothing: it is the recipe's own code. */
static uint64_t read_caps(lua_State *L, int t)
{
    static const struct {
        const char *name;
        uint64_t bit;
    } names[] = {{"pure", HONE_CAP_PURE},
                 {"deterministic", HONE_CAP_DETERMINISTIC},
                 {"batch_invariant", HONE_CAP_BATCH_INVARIANT},
                 {"slow", HONE_CAP_SLOW}};
    uint64_t caps = 0;
    if (lua_getfield(L, t, "caps") == LUA_TNIL) {
        lua_pop(L, 1);
        return 0;
    }
    if (lua_type(L, -1) != LUA_TTABLE)
        luaL_error(L,
                   "caps: a list of names is expected: pure, deterministic, batch_invariant, slow");
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
        uint64_t bit = 0;
        for (size_t k = 0; k < sizeof names / sizeof *names && lua_type(L, -1) == LUA_TSTRING; k++)
            if (strcmp(names[k].name, lua_tostring(L, -1)) == 0)
                bit = names[k].bit;
        if (!bit)
            luaL_error(L, "caps: \"%s\" is none of pure, deterministic, batch_invariant, slow",
                       luaL_tolstring(L, -1, NULL));
        caps |= bit;
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
    return caps;
}

static const char *kept(lua_State *L, int index)
{
    size_t n;
    const char *s = luaL_checklstring(L, index, &n),
               *copy = hone_arena_strndup(&hone_lua_of(L)->arena, s, n);
    if (!copy)
        hone_lua_raise(L);
    return copy;
}

/* name = default, or name = { default, "what it is", min = , max = }; the value on top. */
static void read_field(lua_State *L, const char *name, hone_field *f)
{
    int top = lua_gettop(L);
    *f = (hone_field){
        .struct_size = sizeof *f, .name = name, .doc = "", .min = -HUGE_VAL, .max = HUGE_VAL};
    if (lua_type(L, top) == LUA_TTABLE) {
        if (lua_getfield(L, top, "min") != LUA_TNIL)
            f->min = luaL_checknumber(L, -1);
        if (lua_getfield(L, top, "max") != LUA_TNIL)
            f->max = luaL_checknumber(L, -1);
        if (lua_rawgeti(L, top, 2) != LUA_TNIL)
            f->doc = kept(L, -1);
        lua_rawgeti(L, top, 1);
    }
    switch (lua_type(L, -1)) {
    case LUA_TNUMBER:
        f->type = lua_isinteger(L, -1) ? HONE_FIELD_I64 : HONE_FIELD_F64;
        f->dflt = lua_tonumber(L, -1);
        if (f->type == HONE_FIELD_I64) { /* integers are exact up to 2^53 */
            f->min = fmax(f->min, -9007199254740992.0);
            f->max = fmin(f->max, 9007199254740992.0);
        } else {
            f->min = fmax(f->min, -1.7976931348623157e308);
            f->max = fmin(f->max, 1.7976931348623157e308);
        }
        break;
    case LUA_TBOOLEAN:
        f->type = HONE_FIELD_BOOL;
        f->dflt = lua_toboolean(L, -1);
        f->min = 0;
        f->max = 1;
        break;
    case LUA_TSTRING:
        f->type = HONE_FIELD_STR;
        f->dflt_str = kept(L, -1);
        f->min = f->max = 0;
        break;
    default:
        luaL_error(L,
                   "fields.%s: a default is expected: a number, a text, true or false, or a list "
                   "{ default, \"what it is\" }",
                   name);
    }
    lua_settop(L, top);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const hone_field *const *)a)->name, (*(const hone_field *const *)b)->name);
}

static void read_fields(lua_State *L, int t, hone__lua_component *lc)
{
    size_t n = 0;
    if (strcmp(lc->iface->id, HONE_IFACE_TOKENIZER) ==
        0) { /* what the host has read (tokenizer.h) */
        lc->rows[n] = (hone_field){.struct_size = sizeof(hone_field),
                                   .type = HONE_FIELD_MAP,
                                   .name = "spec",
                                   .doc = "what the host has read: see hone/tokenizer.h"};
        lc->fields[n] = &lc->rows[n];
        n++;
    }
    size_t own = n;
    if (lua_getfield(L, t, "fields") != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TTABLE)
            luaL_error(L, "fields: a table is expected: name = default");
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            if (lua_type(L, -2) != LUA_TSTRING)
                luaL_error(L, "fields: a setting has a name");
            if (n == HONE_LUA_FIELDS)
                luaL_error(L, "fields: more than %d settings", HONE_LUA_FIELDS);
            const char *name = kept(L, -2);
            read_field(L, name, &lc->rows[n]);
            lc->fields[n] = &lc->rows[n];
            n++;
        }
    }
    lua_pop(L, 1);
    qsort(lc->fields + own, n - own, sizeof *lc->fields, by_name);
    lc->reads_nothing = own && n == own && lc->object == LUA_NOREF;
    if (n) {
        lc->c.fields = lc->fields;
        hone_lua_check(L, hone_config_check_table(lc->c.id, lc->fields));
    }
}

/* Numbers of the vtable by name, and what is written more plainly. */
static void read_numbers(lua_State *L, int t, hone__lua_component *lc)
{
    const hone_struct_desc *d = lc->iface->table;
    for (size_t i = 0; d->members[i]; i++) {
        const hone_member *m = d->members[i];
        if (!is_number(m))
            continue;
        if (lua_getfield(L, t, m->name) != LUA_TNIL)
            hone__read_elem(L, lua_gettop(L), NULL, m->type, NULL, (char *)lc->vt + m->offset,
                            m->name);
        lua_pop(L, 1);
    }
    if (strcmp(lc->iface->id, HONE_IFACE_OPTIMIZER) != 0)
        return;
    lua_getfield(L, t, "elementwise");
    if (lua_toboolean(L, -1))
        ((hone_optimizer_v1 *)lc->vt)->flags |= HONE_OPT_ELEMENTWISE;
    lua_getfield(L, t, "buffers");
    hone__lua_state_names(L, -1, lc, lc->buffers, &lc->n_buffers);
    lua_pop(L, 2);
}

static int function_ref(lua_State *L, int t, const char *key)
{
    int type = lua_getfield(L, t, key);
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return LUA_NOREF;
    }
    if (type != LUA_TFUNCTION) {
        luaL_error(L, "%s: a function is expected", key);
        return LUA_NOREF;
    }
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Which slots there are functions for: those of the table at t, or of its module. */
static void make_closures(lua_State *L, int t, hone__lua_component *lc)
{
    const hone_iface_desc *d = lc->iface;
    size_t slots = 0;
    while (d->table->slots[slots])
        slots++;
    if (!slots)
        luaL_error(L, "a component of kind %s cannot be written in Lua: it has no calls",
                   lc->c.kind);
    lc->impls = hone__arena_need(L, &lc->l->arena, slots, sizeof *lc->impls);
    for (size_t i = 0; i < slots; i++) {
        const hone_slot *slot = d->table->slots[i];
        lua_getfield(L, t, slot->name);
        int function = lua_isfunction(L, -1);
        lua_pop(L, 1);
        if (!function)
            continue;
        hone__lua_impl *impl = &lc->impls[lc->n];
        impl->lc = lc;
        impl->slot = slot;
        impl->index = lc->n;
        impl->own.batch = impl->own.text = LUA_NOREF;
        hone_arena_init(&impl->own.out, (size_t)1 << 30);
        impl->own.slot = hone__ffi_slot(L, slot, d->table, d->structs);
        impl->adapter = hone__lua_adapter_of(d->id, slot->name);
        impl->own.fn = function_ref(L, t, slot->name);
        void *code = NULL;
        impl->closure = ffi_closure_alloc(sizeof *impl->closure, &code);
        lc->n++;
        if (!impl->closure || ffi_prep_closure_loc(impl->closure, &impl->own.slot->cif,
                                                   hone__lua_closure_called, impl, code) != FFI_OK)
            luaL_error(L, "libffi cannot make a closure for %s", slot->name);
        memcpy((char *)lc->vt + slot->offset, &code, sizeof code);
    }
    if (!lc->n)
        luaL_error(L, "a component of kind %s needs a function: %s", lc->c.kind,
                   d->table->slots[0]->name);
}

static void make_create(lua_State *L, hone__lua_component *lc)
{
    void *code = NULL;
    for (int i = 0; i < 3; i++)
        lc->create_types[i] = &ffi_type_pointer;
    lc->create = ffi_closure_alloc(sizeof *lc->create, &code);
    if (!lc->create ||
        ffi_prep_cif(&lc->create_cif, FFI_DEFAULT_ABI, 3, &ffi_type_sint32, lc->create_types) !=
            FFI_OK ||
        ffi_prep_closure_loc(lc->create, &lc->create_cif, create_called, lc, code) != FFI_OK)
        luaL_error(L, "libffi cannot make a closure here");
    memcpy(&lc->c.create, &code, sizeof code);
}

/* module = "name": the functions of that module by the names of the slots, put into the table. */
static void use_module(lua_State *L, int t, const char *module, const hone_iface_desc *d)
{
    lua_getglobal(L, "require");
    lua_pushstring(L, module);
    lua_call(L, 1, 1);
    if (lua_type(L, -1) != LUA_TTABLE)
        luaL_error(L, "module \"%s\" gives no table of functions", module);
    for (size_t i = 0; d->table->slots[i]; i++) {
        lua_getfield(L, -1, d->table->slots[i]->name);
        if (lua_isfunction(L, -1)) {
            lua_getfield(L, t, d->table->slots[i]->name);
            if (!lua_isnil(L, -1))
                luaL_error(L, "%s: is in the table and in the module \"%s\"",
                           d->table->slots[i]->name, module);
            lua_pop(L, 1);
            lua_setfield(L, t, d->table->slots[i]->name);
        } else {
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

struct request {
    const char *kind;
    const hone_component_info *info;
};

static int build(lua_State *L)
{
    struct request *rq = lua_touserdata(L, 1);
    hone_lua *l = hone_lua_of(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    hone_lua_check(L, hone_lua_component_probe());
    if (!l->opts.registry)
        return luaL_error(L, "this state has no registry for components");
    if (!hone__ffi_of(l))
        hone_lua_raise(L);
    const char *kind = field_text(L, 2, "kind", rq->kind), *id = field_text(L, 2, "id", NULL);
    if (!kind)
        return luaL_error(L, "component: kind is missing");
    if (!id)
        return luaL_error(L, "component: id is missing");
    const hone_iface_desc *d = iface_of(L, kind, field_text(L, 2, "iface", NULL));
    int source = strcmp(d->id, HONE_IFACE_SOURCE) == 0;
    check_keys(L, 2, d, source);

    hone__lua_component *lc = hone__arena_need(L, &l->arena, 1, sizeof *lc);
    lc->link = l->components; /* from here on the state frees its closures */
    l->components = lc;
    lc->l = l;
    lc->iface = d;
    lc->next = lc->position = lc->seek = lc->row_count = lc->object = LUA_NOREF;
    lc->provides[0] = d->id;
    hone_component *c = &lc->c;
    c->struct_size = sizeof *c;
    c->kind = d->kind ? d->kind : kind;
    if (!strchr(id, '.')) {
        const char *text = lua_pushfstring(L, "recipe.%s.%s", kind, id);
        id = hone_arena_strndup(&l->arena, text, strlen(text));
        if (!id)
            hone_lua_raise(L);
    }
    c->id = id;
    c->version = field_text(L, 2, "version", "0");
    c->summary = field_text(L, 2, "summary", "written in Lua");
    c->vendor = field_text(L, 2, "vendor", "");
    c->license = field_text(L, 2, "license", "");
    c->url = "";
    c->caps = read_caps(L, 2) | HONE_CAP_REENTRANT; /* calls queue: entering twice is safe */
    c->provides = lc->provides;
    c->destroy = destroy;
    c->get_iface = get_iface;
    make_create(L, lc);
    const char *mode = field_text(L, 2, "state", "control"),
               *module = field_text(L, 2, "module", NULL);
    int replicated = strcmp(mode, "replicated") == 0;
    if (!replicated && strcmp(mode, "control") != 0)
        return luaL_error(L, "state: \"control\" or \"replicated\", not \"%s\"", mode);
    lc->object = function_ref(L, 2, "create");
    read_fields(L, 2, lc);
    if (replicated && (source || lc->object != LUA_NOREF || (c->fields && !lc->reads_nothing)))
        return luaL_error(
            L, "state = \"replicated\": a %s",
            source ? "source is one stream, in the recipe's state"
                   : "component with create or fields keeps something: it has one state");
    if (module)
        use_module(L, 2, module, d);
    if (source) {
        lc->next = function_ref(L, 2, "next");
        lc->position = function_ref(L, 2, "position");
        lc->seek = function_ref(L, 2, "seek");
        lc->row_count = function_ref(L, 2, "row_count");
        if (lc->next == LUA_NOREF)
            return luaL_error(L, "a source needs a function: next");
        if ((lc->position == LUA_NOREF) != (lc->seek == LUA_NOREF))
            return luaL_error(L, "a source has both position and seek, or neither");
        lc->vt = (void *)(uintptr_t)&hone__lua_source_v1;
    } else {
        lc->vt = hone__arena_need(L, &l->arena, 1, d->table->size);
        memcpy(lc->vt, &d->table->size, sizeof d->table->size); /* struct_size */
        if (strcmp(d->id, HONE_IFACE_OBJECTIVE) == 0)
            lc->uses = read_uses(L, 2);
        lua_getfield(L, 2, "show");
        int text = lua_type(L, -1) == LUA_TSTRING;
        lua_pop(L, 1);
        lc->show = text ? field_text(L, 2, "show", "") : "written in Lua: see the recipe";
        read_numbers(L, 2, lc);
        make_closures(L, 2, lc);
        fill_defaults(lc);
        if (replicated)
            hone__lua_replicas_make(L, 2, module, lc);
        else if (strcmp(d->id, HONE_IFACE_OPTIMIZER) == 0)
            c->caps &= ~(uint64_t)HONE_CAP_REENTRANT; /* its caller waits on the recipe's thread */
    }
    hone_lua_check(L, hone_registry_add(l->opts.registry, c, &rq->info));
    return 0;
}

hone_status hone_lua_component(lua_State *L, int index, const char *kind,
                               const hone_component_info **out)
{
    struct request rq = {.kind = kind};
    index = lua_absindex(L, index);
    if (!lua_checkstack(L, 4))
        return hone_fail(HONE_E_LIMIT, "the script's stack is too deep");
    lua_pushcfunction(L, build);
    lua_pushlightuserdata(L, &rq);
    lua_pushvalue(L, index);
    HONE_TRY(hone_lua_pcall(L, 2, 0));
    *out = rq.info;
    return HONE_OK;
}

int hone_lua_component_replicated(const hone_lua *l, const hone_component_info *info)
{
    for (const hone__lua_component *lc = l->components; lc; lc = lc->link)
        if (lc->c.id && strcmp(lc->c.id, info->c.id) == 0)
            return lc->replicas != NULL;
    return 0;
}

void hone__component_close(hone_lua *l)
{
    for (hone__lua_component *lc = l->components; lc; lc = lc->link) {
        if (lc->create)
            ffi_closure_free(lc->create);
        for (size_t i = 0; i < lc->n; i++) {
            if (lc->impls[i].closure)
                ffi_closure_free(lc->impls[i].closure);
            hone_arena_release(&lc->impls[i].own.out);
        }
        hone__lua_replicas_free(lc->replicas);
    }
    l->components = NULL;
}
