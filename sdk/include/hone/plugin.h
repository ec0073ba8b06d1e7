/* hone/plugin.h - what a plugin file is: one exported function, constant tables, components.
 *
 * A plugin exports exactly one symbol, hone_plugin_entry(). It returns constant data: a magic block,
 * the components, the interfaces the file introduces. A component is created with a configuration
 * into an instance, and an instance offers interfaces by id. Nothing links against the host: what a
 * plugin needs of it comes through hone_host (host.h) at create.
 *
 * Invariants: every struct starts with struct_size; a struct only grows at its end within a revision;
 * no function may let exit, abort, longjmp or an exception cross the border. (plugin-abi.md 1, 2, 5) */
#ifndef HONE_PLUGIN_H
#define HONE_PLUGIN_H
#include "hone/base.h"
#include "hone/desc.h"
#include "hone/host.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hone_magic {
    uint32_t struct_size;
    uint32_t epoch; /* must equal the host's; changes only with a 2.0 */
    uint32_t sdk;   /* SDK the plugin was compiled with, 0xMMmmpp */
    uint32_t need;  /* lowest host it can live with; pin it low */
    uint8_t ptr_size, int_size, float_size, reserved;
} hone_magic;
#define HONE_MAGIC(need_version)                                                                   \
    {                                                                                              \
        sizeof(hone_magic), HONE_EPOCH, HONE_SDK_VERSION, (need_version), sizeof(void *),          \
            sizeof(int), sizeof(float), 0                                                          \
    }

#define HONE_KIND_REWARD "reward"
#define HONE_KIND_JUDGE "judge"
#define HONE_KIND_TOKENIZER "tokenizer"
#define HONE_KIND_OPTIMIZER "optimizer"
#define HONE_KIND_SOURCE "source"
#define HONE_KIND_MODEL "model"
#define HONE_KIND_OBJECTIVE "objective" /* offers hone.objective/1 or hone.advantage/1 */
#define HONE_KIND_OPS "ops"
#define HONE_KIND_SINK "sink"

/* What a component is ... */
#define HONE_CAP_PURE (1ull << 0)            /* result depends on the arguments alone */
#define HONE_CAP_DETERMINISTIC (1ull << 1)   /* same call twice, same bits */
#define HONE_CAP_REENTRANT (1ull << 2)       /* one instance may be entered by several threads */
#define HONE_CAP_BATCH_INVARIANT (1ull << 3) /* splitting or permuting a batch changes nothing */
#define HONE_CAP_STATEFUL (1ull << 4)        /* has hone.state/1 */
#define HONE_CAP_SLOW (1ull << 5)            /* milliseconds a sample: give it workers of its own */
#define HONE_CAP_GPU (1ull << 6)
/* ... and what it asks for (asking is not getting). */
#define HONE_CAP_NET (1ull << 32)
#define HONE_CAP_FS_READ (1ull << 33)
#define HONE_CAP_FS_WRITE (1ull << 34)
#define HONE_CAP_EXEC (1ull << 35)

/* One row of a configuration table. The host fills defaults, checks type and range, refuses unknown
 * keys with a suggestion, and makes --help and JSON Schema from it. */
enum {
    HONE_FIELD_F64 = 1,
    HONE_FIELD_I64 = 2,
    HONE_FIELD_BOOL = 3,
    HONE_FIELD_STR = 4,
    HONE_FIELD_ENUM = 5,      /* choices: "strict|loose" */
    HONE_FIELD_LIST = 6,      /* any list */
    HONE_FIELD_MAP = 7,       /* any map */
    HONE_FIELD_VALUE = 8,     /* any value */
    HONE_FIELD_COMPONENT = 9, /* another component: iface names the interface it must offer */
    HONE_FIELD_PATH = 10      /* a file or folder the host has resolved and allowed */
};
#define HONE_SECRET (1u << 0)   /* redacted everywhere; read from env:NAME or file:PATH */
#define HONE_LIVE (1u << 1)     /* may change while running (hone.live/1) */
#define HONE_REQUIRED (1u << 2) /* no default: it must be given */
typedef struct hone_field {
    uint32_t struct_size, type, flags, reserved;
    const char *name;
    const char *old_name; /* accepted as well, with a warning; or NULL */
    const char *doc;
    const char *dflt_str;  /* STR, ENUM, PATH: default or NULL */
    const char *choices;   /* ENUM */
    const char *iface;     /* COMPONENT */
    double dflt, min, max; /* F64, I64, BOOL; integers exact to 2^53 */
} hone_field;

/* For tables at file scope: static const hone_field *const fields[] = { HONE_F64(...), ..., NULL }; in C.
 * C++ authors declare `static const hone_field f = HONE_F64_INIT(...)` and list &f. */
#define HONE_FIELD_INIT(type, flags, name, doc, dflt_str, choices, iface, dflt, min, max)          \
    {                                                                                              \
        sizeof(hone_field), (type), (flags), 0, (name), NULL, (doc), (dflt_str), (choices),        \
            (iface), (dflt), (min), (max)                                                          \
    }
#define HONE_F64_INIT(name, dflt, min, max, flags, doc)                                            \
    HONE_FIELD_INIT(HONE_FIELD_F64, flags, name, doc, NULL, NULL, NULL, dflt, min, max)
#define HONE_I64_INIT(name, dflt, min, max, flags, doc)                                            \
    HONE_FIELD_INIT(HONE_FIELD_I64, flags, name, doc, NULL, NULL, NULL, dflt, min, max)
#define HONE_BOOL_INIT(name, dflt, flags, doc)                                                     \
    HONE_FIELD_INIT(HONE_FIELD_BOOL, flags, name, doc, NULL, NULL, NULL, dflt, 0, 1)
#define HONE_STR_INIT(name, dflt, flags, doc)                                                      \
    HONE_FIELD_INIT(HONE_FIELD_STR, flags, name, doc, dflt, NULL, NULL, 0, 0, 0)
#define HONE_PATH_INIT(name, dflt, flags, doc)                                                     \
    HONE_FIELD_INIT(HONE_FIELD_PATH, flags, name, doc, dflt, NULL, NULL, 0, 0, 0)
#define HONE_ENUM_INIT(name, dflt, choices, flags, doc)                                            \
    HONE_FIELD_INIT(HONE_FIELD_ENUM, flags, name, doc, dflt, choices, NULL, 0, 0, 0)
#define HONE_LIST_INIT(name, flags, doc)                                                           \
    HONE_FIELD_INIT(HONE_FIELD_LIST, flags, name, doc, NULL, NULL, NULL, 0, 0, 0)
#define HONE_MAP_INIT(name, flags, doc)                                                            \
    HONE_FIELD_INIT(HONE_FIELD_MAP, flags, name, doc, NULL, NULL, NULL, 0, 0, 0)
#define HONE_VALUE_INIT(name, flags, doc)                                                          \
    HONE_FIELD_INIT(HONE_FIELD_VALUE, flags, name, doc, NULL, NULL, NULL, 0, 0, 0)
#define HONE_COMPONENT_INIT(name, iface, flags, doc)                                               \
    HONE_FIELD_INIT(HONE_FIELD_COMPONENT, flags, name, doc, NULL, NULL, iface, 0, 0, 0)
#ifndef __cplusplus
#define HONE_F64(...) &(const hone_field)HONE_F64_INIT(__VA_ARGS__)
#define HONE_I64_(...) &(const hone_field)HONE_I64_INIT(__VA_ARGS__)
#define HONE_INT(...) &(const hone_field)HONE_I64_INIT(__VA_ARGS__)
#define HONE_FLAG(...) &(const hone_field)HONE_BOOL_INIT(__VA_ARGS__)
#define HONE_STR(...) &(const hone_field)HONE_STR_INIT(__VA_ARGS__)
#define HONE_PATH(...) &(const hone_field)HONE_PATH_INIT(__VA_ARGS__)
#define HONE_ENUM(...) &(const hone_field)HONE_ENUM_INIT(__VA_ARGS__)
#define HONE_LIST_OF(...) &(const hone_field)HONE_LIST_INIT(__VA_ARGS__)
#define HONE_MAP_OF(...) &(const hone_field)HONE_MAP_INIT(__VA_ARGS__)
#define HONE_ANY(...) &(const hone_field)HONE_VALUE_INIT(__VA_ARGS__)
#define HONE_COMPONENT(...) &(const hone_field)HONE_COMPONENT_INIT(__VA_ARGS__)
#endif

/* A checked configuration: read by field index (the row in the table). Strings and values are valid
 * until destroy. Reading with another type than the row's logs PLUGIN_MISBEHAVING and gives 0. */
typedef struct hone_config {
    uint32_t struct_size, n_fields;
    void *ctx;
    double (*f64)(const struct hone_config *cfg, uint32_t field); /* else 0 [any-thread] */
    int64_t (*i64)(const struct hone_config *cfg,
                   uint32_t field); /* I64, BOOL; ENUM: index of the choice; else 0 [any-thread] */
    hone_str (*str)(const struct hone_config *cfg,
                    uint32_t field); /* {NULL,0} when unset; valid until destroy [any-thread] */
    const hone_value *(*value)(
        const struct hone_config *cfg,
        uint32_t field); /* LIST MAP VALUE; NULL when unset; valid until destroy [any-thread] */
    hone_status (*component)(const struct hone_config *cfg, uint32_t field,
                             hone_ref *out_bor); /* [control-thread] */
    int32_t (*is_set)(const struct hone_config *cfg,
                      uint32_t field); /* 1 given, or 0 defaulted; cannot fail [any-thread] */
} hone_config;

typedef struct hone_component {
    uint32_t struct_size;
    uint32_t reserved;
    const char *id;   /* reverse DNS: "org.hone.reward.math_answer"; last part = short name */
    const char *kind; /* HONE_KIND_* or a third party's "com.acme.kind.x" */
    const char *version, *vendor, *license, *summary, *url;
    uint64_t caps;                   /* HONE_CAP_* */
    const hone_field *const *fields; /* NULL-terminated; or NULL: no settings */
    const char *const *needs;        /* host interfaces it cannot live without; or NULL */
    const char *const *provides;     /* interfaces its instances offer, NULL-terminated */
    const char *const *wants;        /* sample members it reads, or NULL for all */
    /* A new instance in *self_out. `host` lives as long as the instance; `cfg_bor` until destroy.
     * Fails with text by host->fail. [control-thread & !active] */
    hone_status (*create)(const hone_host *host, const hone_config *cfg_bor, void **self_out);
    void (*destroy)(void *self); /* [control-thread & !active] */
    const void *(*get_iface)(
        void *self,
        const char *iface_id); /* NULL = not offered; valid until destroy [any-thread] */
} hone_component;

typedef struct hone_entry {
    uint32_t struct_size;
    uint32_t reserved;
    const hone_magic *magic;
    const hone_component *const *components;    /* NULL-terminated, static, constant */
    const hone_iface_desc *const *ifaces;       /* interfaces this file introduces, or NULL */
    hone_status (*init)(const hone_host *host); /* optional [control-thread] */
    void (*deinit)(void);                       /* optional, pairs with init [control-thread] */
} hone_entry;

/* The one symbol of a plugin. Constant, cannot fail: may be called any number of times. [any-thread] */
HONE_EXPORT const hone_entry *hone_plugin_entry(void);

/* Whether a get_iface was asked for `iface`. Cannot fail. [any-thread] */
static inline int hone_iface_is(const char *asked, const char *iface)
{
    while (*iface && *iface == *asked) {
        iface++;
        asked++;
    }
    return *iface == *asked;
}

#ifdef __cplusplus
}
#endif

#ifndef __cplusplus
/* In C (C++ has hone::component and HONE_CPP_PLUGIN of hone.hpp): `const hone_component NAME`, which offers the one
 * interface `iface` with the functions of `table`, a constant struct. Its other members follow by name, which leaves out
 * what it has not: .id = "com.acme.judge.x", .version = "1.0.0", .summary = "...", .caps = ..., .fields = fields,
 * .needs = needs, .wants = wants, .create = create, .destroy = destroy. At file scope. */
#define HONE_DEFINE_COMPONENT(name, kind_of_it, iface, table, ...)                                 \
    static const void *name##_get_iface(void *self, const char *asked)                             \
    {                                                                                              \
        (void)self;                                                                                \
        return hone_iface_is(asked, iface) ? &(table) : NULL;                                      \
    }                                                                                              \
    static const char *const name##_provides[] = {iface, NULL};                                    \
    const hone_component name = {.struct_size = sizeof(hone_component),                            \
                                 .kind = kind_of_it,                                               \
                                 .provides = name##_provides,                                      \
                                 .get_iface = name##_get_iface,                                    \
                                 __VA_ARGS__}

/* The file's entry: the lowest SDK version it works with, then pointers to its components. At file scope, once. */
#define HONE_DEFINE_PLUGIN(need, ...)                                                              \
    const hone_entry *hone_plugin_entry(void)                                                      \
    {                                                                                              \
        static const hone_magic hone_magic_ = HONE_MAGIC(need);                                    \
        static const hone_component *const hone_list_[] = {__VA_ARGS__, NULL};                     \
        static const hone_entry hone_entry_ = {                                                    \
            sizeof(hone_entry), 0, &hone_magic_, hone_list_, NULL, NULL, NULL};                    \
        return &hone_entry_;                                                                       \
    }                                                                                              \
    typedef int hone_plugin_defined /* takes the semicolon */
#endif
#endif
