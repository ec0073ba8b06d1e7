/* hone/testing.h - a small host, for tests of a plugin that run without hone.
 *
 * A test program includes this, is linked with the plugin's own source, and calls it as the host does: find
 * the component, give it settings, get an interface, call it. What the plugin says through host->fail and
 * host->log is kept and can be looked at; memory taken through hone.mem/1 is counted, and what is not given
 * back when the instance goes is a failure of the test.
 *
 *   hone_test t;
 *   static const char *const settings[] = {"bonus=0.5", NULL};
 *   hone_test_begin(&t, "my_reward", settings);
 *   const hone_reward_v1 *r = (const hone_reward_v1 *)hone_test_iface(&t, HONE_IFACE_REWARD);
 *   HONE_CHECK(r != NULL);
 *   ...
 *   hone_test_end(&t);
 *   return hone_test_result();
 *
 * Settings are name=value texts for the scalar types (F64, I64, BOOL, STR, ENUM, PATH); a LIST, MAP or VALUE
 * is set as a value: t.values[field] = &v. It is not the host: ranges and unknown names are checked, but
 * nothing is run in other threads, no deadline is kept, and of the host's interfaces there is hone.mem/1 alone.
 * The program, not the plugin, includes it: it prints, and has static state. C11 and C++17. */
#ifndef HONE_TESTING_H
#define HONE_TESTING_H
#include "hone/hone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_TEST_FIELDS 64

typedef struct hone_test {
    hone_host host;
    hone_config cfg;
    const hone_component *component;
    void *self;
    hone_status status;                         /* of create */
    char error[1024];                           /* the last text of host->fail, "" when none */
    unsigned n_logs;                            /* texts logged */
    size_t held;                                /* bytes of hone.mem/1 */
    const hone_value *values[HONE_TEST_FIELDS]; /* of LIST, MAP, VALUE fields, or NULL */
    const char *texts[HONE_TEST_FIELDS];        /* what was set, or NULL: the default */
} hone_test;

static int hone_test_failures, hone_test_checks;
#define HONE_CHECK(cond) hone_test_check((cond) ? 1 : 0, #cond, __FILE__, __LINE__)
static inline int hone_test_check(int ok, const char *what, const char *file, int line)
{
    hone_test_checks++;
    if (!ok) {
        hone_test_failures++;
        printf("%s:%d: failed: %s\n", file, line, what);
    }
    return ok;
}
/* The exit code of the test program; prints the line "N passed, N failed". */
static inline int hone_test_result(void)
{
    printf("%d passed, %d failed\n", hone_test_checks - hone_test_failures, hone_test_failures);
    return hone_test_failures || !hone_test_checks ? 1 : 0;
}

static inline hone_status hone_test_fail_(const hone_host *host, hone_status s, hone_str text)
{
    hone_test *t = (hone_test *)host->ctx;
    size_t n = text.len < sizeof t->error - 1 ? text.len : sizeof t->error - 1;
    if (n)
        memcpy(t->error, text.ptr, n);
    t->error[n] = 0;
    return s;
}
static inline void hone_test_log_(const hone_host *host, uint32_t level, hone_str text)
{
    ((hone_test *)host->ctx)->n_logs++;
    printf("log %u: %.*s\n", level, (int)text.len, text.ptr ? text.ptr : "");
}
static inline void *hone_test_resize_(void *self, void *p, size_t old_size, size_t size)
{
    hone_test *t = (hone_test *)self;
    void *q = NULL;
    if (size) {
        q = realloc(p, size);
        if (!q)
            return NULL;
    } else {
        free(p);
    }
    t->held = t->held - old_size + size;
    return q;
}
static inline hone_status hone_test_get_(const hone_host *host, const char *id, hone_ref *out)
{
    static const hone_mem_v1 mem = {sizeof(hone_mem_v1), 0, hone_test_resize_};
    if (strcmp(id, HONE_IFACE_MEM) != 0)
        return hone_host_fail(host, HONE_E_NOT_FOUND, "the test's host has no %s", id);
    out->self = host->ctx;
    out->vt = &mem;
    return HONE_OK;
}

static inline const hone_field *hone_test_field_(const hone_config *c, uint32_t field, uint32_t a,
                                                 uint32_t b, uint32_t d)
{
    const hone_test *t = (const hone_test *)c->ctx;
    const hone_field *f = field < c->n_fields ? t->component->fields[field] : NULL;
    if (!HONE_CHECK(f && (f->type == a || f->type == b || f->type == d))) /* read as another type */
        return NULL;
    return f;
}
static inline double hone_test_f64_(const hone_config *c, uint32_t field)
{
    const hone_test *t = (const hone_test *)c->ctx;
    const hone_field *f = hone_test_field_(c, field, HONE_FIELD_F64, HONE_FIELD_F64,
                                           HONE_FIELD_F64);
    if (!f)
        return 0;
    return t->texts[field] ? strtod(t->texts[field], NULL) : f->dflt;
}
/* Place of the text in "a|b|c", or -1. */
static inline int64_t hone_test_choice_(const char *choices, const char *text)
{
    int64_t at = 0;
    size_t n = text ? strlen(text) : 0;
    for (const char *p = choices; p && text; p = strchr(p, '|'), p = p ? p + 1 : NULL, at++)
        if (strncmp(p, text, n) == 0 && (p[n] == '|' || p[n] == 0))
            return at;
    return -1;
}
static inline int64_t hone_test_i64_(const hone_config *c, uint32_t field)
{
    const hone_test *t = (const hone_test *)c->ctx;
    const hone_field *f = hone_test_field_(c, field, HONE_FIELD_I64, HONE_FIELD_BOOL,
                                           HONE_FIELD_ENUM);
    const char *text = f ? t->texts[field] : NULL;
    if (!f)
        return 0;
    if (f->type == HONE_FIELD_ENUM)
        return hone_test_choice_(f->choices, text ? text : f->dflt_str);
    if (!text)
        return (int64_t)f->dflt;
    return f->type == HONE_FIELD_BOOL ? strcmp(text, "true") == 0 || strcmp(text, "1") == 0
                                      : strtoll(text, NULL, 10);
}
static inline hone_str hone_test_str_(const hone_config *c, uint32_t field)
{
    const hone_test *t = (const hone_test *)c->ctx;
    const hone_field *f = hone_test_field_(c, field, HONE_FIELD_STR, HONE_FIELD_PATH,
                                           HONE_FIELD_ENUM);
    const char *text = !f ? NULL : t->texts[field] ? t->texts[field] : f->dflt_str;
    hone_str s = {NULL, 0};
    return text ? hone_str_c(text) : s;
}
static inline const hone_value *hone_test_value_(const hone_config *c, uint32_t field)
{
    const hone_field *f = hone_test_field_(c, field, HONE_FIELD_LIST, HONE_FIELD_MAP,
                                           HONE_FIELD_VALUE);
    return f ? ((const hone_test *)c->ctx)->values[field] : NULL;
}
static inline hone_status hone_test_component_(const hone_config *c, uint32_t field, hone_ref *out)
{
    hone_test *t = (hone_test *)c->ctx;
    (void)field;
    (void)out;
    return hone_host_fail(&t->host, HONE_E_UNSUPPORTED, "the test's host has no other components");
}
static inline int32_t hone_test_is_set_(const hone_config *c, uint32_t field)
{
    const hone_test *t = (const hone_test *)c->ctx;
    return field < c->n_fields && (t->texts[field] || t->values[field]);
}

static inline void hone_test_set_(hone_test *t, const char *setting)
{
    const char *eq = strchr(setting, '=');
    for (uint32_t i = 0; eq && i < t->cfg.n_fields; i++) {
        const hone_field *f = t->component->fields[i];
        if (strlen(f->name) != (size_t)(eq - setting) ||
            strncmp(f->name, setting, (size_t)(eq - setting)) != 0)
            continue;
        t->texts[i] = eq + 1;
        if ((f->type == HONE_FIELD_F64 || f->type == HONE_FIELD_I64) && f->min < f->max)
            HONE_CHECK(strtod(eq + 1, NULL) >= f->min && strtod(eq + 1, NULL) <= f->max);
        if (f->type == HONE_FIELD_ENUM)
            HONE_CHECK(hone_test_choice_(f->choices, eq + 1) >= 0);
        return;
    }
    printf("there is no setting %s\n", setting);
    HONE_CHECK(!"a setting that the table has");
}

/* Only what the entry says, and a host: no instance yet. `name`: the component's id or its last part; NULL
 * means the only one. 1 when it was found. */
static inline int hone_test_prepare(hone_test *t, const char *name)
{
    const hone_entry *e = hone_plugin_entry();
    memset(t, 0, sizeof *t);
    t->host.struct_size = (uint32_t)sizeof t->host;
    t->host.epoch = HONE_EPOCH;
    t->host.version = HONE_SDK_VERSION;
    t->host.ctx = t;
    t->host.get_iface = hone_test_get_;
    t->host.log = hone_test_log_;
    t->host.fail = hone_test_fail_;
    t->status = HONE_E_NOT_FOUND;
    if (!HONE_CHECK(e && e->magic && e->magic->epoch == HONE_EPOCH))
        return 0;
    for (size_t i = 0; e->components[i]; i++) {
        const char *dot = strrchr(e->components[i]->id, '.');
        if (!name || strcmp(e->components[i]->id, name) == 0 || (dot && strcmp(dot + 1, name) == 0))
            t->component = e->components[i];
    }
    if (!HONE_CHECK(t->component != NULL))
        return 0;
    t->cfg.struct_size = (uint32_t)sizeof t->cfg;
    t->cfg.ctx = t;
    t->cfg.f64 = hone_test_f64_;
    t->cfg.i64 = hone_test_i64_;
    t->cfg.str = hone_test_str_;
    t->cfg.value = hone_test_value_;
    t->cfg.component = hone_test_component_;
    t->cfg.is_set = hone_test_is_set_;
    while (t->component->fields && t->component->fields[t->cfg.n_fields])
        t->cfg.n_fields++;
    return HONE_CHECK(t->cfg.n_fields <= HONE_TEST_FIELDS);
}
/* Makes the instance; t->status and t->error tell when the plugin refused. */
static inline hone_status hone_test_create(hone_test *t)
{
    t->status = t->component->create(&t->host, &t->cfg, &t->self);
    if (t->status < 0)
        HONE_CHECK(t->error[0] != 0); /* a failure without a text is misbehaviour */
    return t->status;
}
/* Both, with settings (NULL-terminated, or NULL); that create succeeds is checked. */
static inline int hone_test_begin(hone_test *t, const char *name, const char *const *settings)
{
    if (!hone_test_prepare(t, name))
        return 0;
    for (; settings && *settings; settings++)
        hone_test_set_(t, *settings);
    if (HONE_CHECK(hone_test_create(t) == HONE_OK))
        return 1;
    printf("create: %s\n", t->error);
    return 0;
}
static inline const void *hone_test_iface(hone_test *t, const char *id)
{
    if (t->status < 0)
        return NULL;
    HONE_CHECK(t->component->get_iface(t->self, "org.nobody.iface/1") == NULL);
    return t->component->get_iface(t->self, id);
}
static inline void hone_test_end(hone_test *t)
{
    if (t->status >= 0)
        t->component->destroy(t->self);
    HONE_CHECK(t->held == 0); /* hone.mem/1: everything was given back */
    t->status = HONE_E_STATE;
}

#ifdef __cplusplus
}
#endif
#endif
