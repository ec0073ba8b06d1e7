# core/host
libhone_a_SOURCES += \
	core/host/box_ask.c \
	core/host/box_host.c \
	core/host/box_pool.c \
	core/host/box_proxy.c \
	core/host/box_reach.c \
	core/host/box_retry.c \
	core/host/box_serve.c \
	core/host/box_source.c \
	core/host/box_source_serve.c \
	core/host/box_text.c \
	core/host/crash.c \
	core/host/grant.c \
	core/host/hostif.c \
	core/host/curl.c \
	core/host/http.c \
	core/host/http_loop.c \
	core/host/http_policy.c \
	core/host/http_tape.c \
	core/host/instance.c \
	core/host/trail.c \
	core/host/policy.c \
	core/host/process.c \
	core/host/record.c \
	core/host/regex.c \
	core/host/registry.c \
	core/host/replay.c
