/* config.h - a component's configuration: a table of fields, a tree of values, a checked hone_config.
 *
 * The table (hone_field rows) is the one source: defaults, types, ranges, choices, old names, secrets,
 * --help text and JSON Schema all come from it. Unknown keys are refused with a suggestion. Keys that
 * the caller understands itself (weight, deadline) are not in the table: it strips them before.
 *
 * A secret is given as itself, as env:NAME or as file:PATH, is kept out of every text but the getter's,
 * and is wiped when the configuration is destroyed. A component inside a component is given by name
 * ("exact_match") or as a map whose key `component` is the name, the others its settings.
 * Invariant: a hone_config that exists is valid. (plugin-abi.md 5, Config) */
#ifndef HONE_CORE_ABI_CONFIG_H
#define HONE_CORE_ABI_CONFIG_H
#include "base/json.h"
#include "hone/plugin.h"

/* What the checker asks of its surroundings. All optional. */
typedef struct hone_config_env {
    void *ctx;
    /* A PATH field: the allowed, absolute path into *out (allocated), or an error. NULL: kept as given. */
    hone_status (*path)(void *ctx, hone_str given, char **out);
    /* A COMPONENT field: makes the component, hands out its interface. `keep` is given to drop at destroy.
     * NULL: such fields are E_UNSUPPORTED. */
    hone_status (*component)(void *ctx, const char *iface, hone_str name,
                             const hone_value *settings, hone_ref *out, void **keep);
    void (*drop)(void *ctx, void *keep);
    void (*show)(
        void *ctx, void *keep,
        hone_jw
            *w); /* its resolved settings, redacted: keys and values into the map that is open */
    void (*misread)(void *ctx, const char *text); /* the plugin read a field with the wrong type */
    int resolved; /* secrets are given as they are, not as env:NAME or file:PATH (a box's side) */
} hone_config_env;

/* `who` (component id) goes in front of errors. `given` is a map, or NULL. [control-thread] */
hone_status hone_config_create(const char *who, const hone_field *const *fields,
                               const hone_value *given, const hone_config_env *env,
                               hone_config **out);
void hone_config_destroy(hone_config *cfg); /* NULL allowed */
/* `old` with some settings changed, each of a row that is HONE_LIVE; the others, components too, are those of `old`, which
 * must outlive the new one: hone_config_behind(new, old) gives it to the new one to destroy. E_INVALID for a setting that
 * does not change while running. [control-thread] */
hone_status hone_config_change(const hone_config *old, const hone_value *changes,
                               hone_config **out);
void hone_config_behind(hone_config *cfg, hone_config *old);

/* `text` (as in key=value on a command line) read as field `key` wants it: numbers and booleans of
 * their rows, JSON for lists, maps and values, otherwise a string. E_NOT_FOUND for an unknown key.
 * Strings point into `text` or the arena. [any-thread] */
hone_status hone_config_value_of(const char *who, const hone_field *const *fields, hone_str key,
                                 hone_str text, hone_arena *arena, hone_value *out);

/* The resolved configuration as a JSON map, defaults included; secrets as "(secret)" always. */
void hone_config_json(const hone_config *cfg, hone_jw *w);
/* Its keys and values alone, into a map that is open: of a component among settings, beside its name. */
void hone_config_json_rows(const hone_config *cfg, hone_jw *w);
/* The component that is setting number `field`: E_NOT_FOUND when it is none, or was not given. [any-thread] */
hone_status hone_config_component_at(const hone_config *cfg, uint32_t field, hone_ref *out,
                                     const char **iface, void **keep);
/* What was given, for the other side of a box: secrets in the clear, paths as they were resolved, for a component the number
 * of its setting as its name. */
hone_status hone_config_export(const hone_config *cfg, hone_jw *w);
/* Is this text one of the configuration's secrets, or does it hold one? Replaces each by "(secret)". */
hone_status hone_config_redact(const hone_config *cfg, hone_str text, hone_buf *out);
int hone_config_has_secret(const hone_config *cfg); /* one that was given [any-thread] */

/* The table as --help text (one line a field, columns aligned) and as a JSON Schema object. */
void hone_config_help(const hone_field *const *fields, hone_buf *out);
void hone_config_schema(const hone_field *const *fields, hone_jw *w);
/* The table itself, one map a field, as in the sidecar; and back. */
void hone_config_fields_json(const hone_field *const *fields, hone_jw *w);
hone_status hone_config_fields_read(const hone_value *list, hone_arena *arena,
                                    const hone_field *const **out);
/* Is the table itself sound: names, types, defaults in range, choices hold the default? E_ABI naming it. */
hone_status hone_config_check_table(const char *who, const hone_field *const *fields);

/* ---- between the files of this module ---- */
/* A row brought to the host's size: members that an older SDK lacks are zero. */
hone_field hone__config_row(const hone_field *row);
/* Index of choice `s` in "a|b|c", or -1; and the i-th, {NULL,0} past the end. */
int64_t hone__config_choice(const char *choices, hone_str s);
hone_str hone__config_choice_at(const char *choices, size_t i);
/* Does a range apply? min < max says yes; min == max says none. */
int hone__config_ranged(const hone_field *row);
#endif
