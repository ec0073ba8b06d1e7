# core/lua
libhone_a_SOURCES += \
	core/lua/api.c core/lua/api_components.c core/lua/api_environment.c core/lua/api_data.c core/lua/api_evidence.c core/lua/api_judge.c core/lua/api_prompt.c core/lua/api_policy.c \
	core/lua/api_run.c core/lua/api_tape.c core/lua/api_train.c core/lua/component.c \
	core/lua/component_call.c core/lua/component_replica.c core/lua/component_source.c core/lua/iface.c core/lua/marshal.c core/lua/pattern.c \
	core/lua/plan.c core/lua/recipe.c core/lua/sandbox.c core/lua/api_spread.c core/lua/api_stats.c core/lua/slot.c core/lua/state.c core/lua/value.c core/lua/watch.c
libhone_a_SOURCES += core/lua/api_calibrate.c
libhone_a_SOURCES += core/lua/api_gate.c
libhone_a_SOURCES += core/lua/api_example.c core/lua/api_example.h
libhone_a_SOURCES += core/lua/api_curate.c
