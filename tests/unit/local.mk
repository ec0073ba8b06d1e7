# tests/unit: each test_<module>.c is one program, found by itself (GNU make); nothing to edit here.
# `make check` runs each in its own process with a time limit and prints one line a program;
# `make check TESTS="test_json test_map"` runs those only.
UNIT_FILES = $(sort $(wildcard $(srcdir)/tests/unit/test_*.c))
UNIT_TESTS = $(patsubst $(srcdir)/%.c,%,$(UNIT_FILES))
UNIT_SELECTED = $(if $(TESTS),$(addprefix tests/unit/,$(TESTS)),$(UNIT_TESTS))
HONE_TEST_TIMEOUT = 120
UNIT_COMPILE = $(CC) $(DEFS) -I. $(AM_CPPFLAGS) -I$(srcdir)/tests/unit -I$(srcdir)/plugins $(CMOCKA_CFLAGS) \
	$(CPPFLAGS) $(AM_CFLAGS) $(CFLAGS)

tests/unit/%.o: $(srcdir)/tests/unit/%.c
	@mkdir -p $(@D)
	$(AM_V_CC)$(UNIT_COMPILE) -MMD -MP -c -o $@ $<
tests/unit/test_%: tests/unit/test_%.o $(HONE_LIBS)
	$(AM_V_CCLD)$(CC) $(AM_CFLAGS) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS) -o $@ $< $(HONE_LIBS) \
		$(HONE_DEP_LIBS) $(CMOCKA_LIBS)
-include $(wildcard tests/unit/*.d)
.PRECIOUS: tests/unit/%.o

.PHONY: check-unit unit-programs
unit-programs: $(UNIT_SELECTED)
check-unit: all
	+@$(MAKE) -k --no-print-directory unit-programs || for program in $(UNIT_SELECTED); do \
		$(MAKE) -q $$program 2>/dev/null || rm -f $$program; done # then it fails, and not an old one passes
	@$(SHELL) $(srcdir)/tests/run-unit.sh $(HONE_TEST_TIMEOUT) tests/results $(UNIT_SELECTED)
if HAVE_CMOCKA
check-local: check-unit
else
check-local:
	@echo "make check needs cmocka: install it and run configure again" >&2; exit 1
endif

# The same bits again: on 1 and 3 threads, under each kernel set, in micro-batches, with blocks replayed, on several ranks, with
# stored weights, with recurrent state, killed and resumed, in boxes. Some minutes.
.PHONY: check-determinism
check-determinism:
	+@$(MAKE) --no-print-directory check-unit TESTS="test_gemm test_model test_objectives test_comm test_storage"
	@set -e; for name in kill_resume recurrent storage box; do \
		(cd $(srcdir) && HONE=$(abs_builddir)/hone HONE_BUILD=$(abs_builddir) python3 tests/integration/$$name.py); done
