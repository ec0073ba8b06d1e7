/* component.h - components written in Lua: a table with functions becomes a hone_component.
 *
 *   hone.component { kind = "reward", id = "org.me.reward.brief", score = function(batch) ... end }
 *
 * For each function a libffi closure fills the slot of its name in the kind's vtable, driven by the
 * interface's description; absent functions stay NULL. C then sees an ordinary component: instances are
 * made by hone_instance_create, called from any thread; the closures queue to the control thread.
 * Closures live as long as the state. Kinds: any with a description; `reward`, `objective`, `source`,
 * `optimizer` and `model` have adapters that make them pleasant to write, `judge` and `tokenizer` have theirs
 * in scripts/lib/hone/kinds.lua.
 *
 * With state = "replicated" calls run on the caller's thread, each in a Lua state that is its own meanwhile:
 * the functions come from a module by name (module = "name"), or have upvalues of plain values only, which
 * are copied when the component is made. What such a function remembers, it remembers for one state.
 * (plugin-abi.md 8) */
#ifndef HONE_CORE_LUA_COMPONENT_H
#define HONE_CORE_LUA_COMPONENT_H
#include "lua/state.h"

/* The table at `index` describes a component: checked, registered in the state's registry. An id
 * without dots gets "recipe.<kind>." in front. `kind` NULL: taken from the table. Keys: kind, id,
 * version, summary, vendor, license, iface, caps (names), fields (name = default or { default, doc, min =, max = }),
 * create(config) -> first argument of every function, state, module, numbers of the vtable, and the functions.
 * Unknown keys are refused with a suggestion. */
hone_status hone_lua_component(lua_State *L, int index, const char *kind,
                               const hone_component_info **out);
/* Has it state = "replicated"? Then its calls do not go to the control thread. */
int hone_lua_component_replicated(const hone_lua *l, const hone_component_info *info);
/* Can closures be made on this machine? E_UNSUPPORTED with a hint when not. Asked once at start. */
hone_status hone_lua_component_probe(void);
/* hone.abstain: what a score function returns for a sample it does not judge. */
void hone_lua_push_abstain(lua_State *L);
#endif
