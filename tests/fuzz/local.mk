# tests/fuzz: each fuzz_<name>.c (LLVMFuzzerTestOneInput) is one libFuzzer program.
# `make fuzz` configures fuzz-build/ below this build with clang, libFuzzer and ASan and makes them
# all there; run one as fuzz-build/tests/fuzz/fuzz_json -max_total_time=60.
FUZZ_TARGETS = $(patsubst $(srcdir)/%.c,%,$(sort $(wildcard $(srcdir)/tests/fuzz/fuzz_*.c)))
# A target that tests a plugin's parser compiles the plugin in: FUZZ_EXTRA_<name> = its sources.
FUZZ_EXTRA_tokenizer_json = $(wildcard $(srcdir)/plugins/tokenizer/bpe/*.c)
FUZZ_EXTRA_encode = $(FUZZ_EXTRA_tokenizer_json)
FUZZ_EXTRA_tokenizer_files = $(FUZZ_EXTRA_tokenizer_json)
FUZZ_EXTRA_http_page = $(addprefix $(srcdir)/plugins/source/,http/page.c $(addprefix sources/,feed.c batch.c grow.c)) \
	-I$(srcdir)/plugins/source/sources
FUZZ_EXTRA_endpoint = $(addprefix $(srcdir)/plugins/judge/rubric/,endpoint_reply.c pool.c)
FUZZ_EXTRA_command = $(wildcard $(srcdir)/plugins/reward/command/*.c) \
	$(addprefix $(srcdir)/plugins/source/sources/,feed.c batch.c grow.c) -I$(srcdir)/plugins/source/sources
FUZZ_EXTRA_wording = $(wildcard $(srcdir)/plugins/reward/text/*.c) $(srcdir)/plugins/reward/rewards/common.c
FUZZ_EXTRA_forms = $(wildcard $(srcdir)/plugins/reward/rewards/*.c)
.PHONY: fuzz fuzz-programs fuzz-plugins
if FUZZ
tests/fuzz/fuzz_%: $(srcdir)/tests/fuzz/fuzz_%.c $(HONE_LIBS)
	@mkdir -p $(@D)
	$(AM_V_CCLD)$(CC) $(DEFS) -I. $(AM_CPPFLAGS) -I$(srcdir)/plugins $(AM_CFLAGS) $(CFLAGS) -fsanitize=fuzzer,address \
		-o $@ $< $(FUZZ_EXTRA_$*) $(HONE_LIBS) $(HONE_DEP_LIBS)
# Plugins carry the same instrumentation; its functions are found in the program that loads them.
fuzz-plugins:
	+$(AM_V_at)$(PLUGINS_MAKE) HONE=/nonexistent LDFLAGS="-Wl,-z,undefs" plugins
fuzz-programs fuzz: $(FUZZ_TARGETS) fuzz-plugins
else
fuzz:
	@mkdir -p fuzz-build
	@test -f fuzz-build/Makefile || (cd fuzz-build && \
		$(abs_srcdir)/configure --quiet --enable-fuzz CC=clang CFLAGS="-O1 -g" >/dev/null)
	+$(AM_V_at)cd fuzz-build && $(MAKE) --no-print-directory fuzz-programs
endif
