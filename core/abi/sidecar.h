/* sidecar.h - what a plugin file says of itself, as JSON: the sidecar <plugin>.json.
 *
 *   {"hone":1, "magic":{...}, "components":[{...}], "interfaces":[{...}]}
 *
 * One canonical form (fixed key order, compact), so that equal descriptions are equal bytes. Written from the loaded
 * file (`hone plugin describe X.so`), read by the registry so that listing and --help never load
 * code. At load the two are compared: a sidecar that lies is a refusal. (plugin-abi.md 2, 3a) */
#ifndef HONE_CORE_ABI_SIDECAR_H
#define HONE_CORE_ABI_SIDECAR_H
#include "base/json.h"
#include "hone/plugin.h"

/* The description of a checked entry (see loader.h). [control-thread] */
void hone_sidecar_write(const hone_entry *entry, hone_jw *w);
/* One component, as inside "components"; and the names of capability bits as a list. */
void hone_sidecar_component(const hone_component *c, hone_jw *w);
void hone_sidecar_caps(uint64_t caps, hone_jw *w);
const char *hone_cap_name(unsigned bit); /* "PURE", or NULL */

typedef struct hone_sidecar {
    hone_magic magic;
    hone_component *components; /* functions NULL; host's size */
    size_t n;
    const hone_iface_desc *const *ifaces; /* NULL-terminated, or NULL */
} hone_sidecar;
/* Reads a description; everything lives in the arena. `name` goes into errors. E_PARSE naming what is
 * wrong; the components are checked as those of a file are. [control-thread] */
hone_status hone_sidecar_read(const hone_value *v, const char *name, hone_arena *arena,
                              hone_sidecar *out);
#endif
