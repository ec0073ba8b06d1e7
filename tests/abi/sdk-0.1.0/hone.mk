# hone.mk - builds one plugin. Needs GNU make, a C compiler and this folder, nothing else of hone.
#
#   PLUGIN = my_reward            -> $(OUT)/my_reward.so
#   SOURCES = my_reward.c         (default: $(PLUGIN).c or $(PLUGIN).cpp)
#   LIBS = -lpcre2-8              (default: none)
#   include /usr/local/share/hone/sdk/hone.mk      (pkg-config --variable=hone_mk hone)
#
# C is built as C11 and C++ (.cpp, .cc) as C++17. $(call hone_test_program,PROGRAM,test.c,FLAGS) is a recipe
# line that links a test with the plugin's own sources (hone/testing.h).
#
# or without a Makefile: make -f .../hone.mk PLUGIN=my_reward. CFLAGS (default -O2 -g), CC, CXX, OUT
# (default .) and HONE (the program that writes the sidecar; default hone, skipped when it is not
# there) may be given. The file exports hone_plugin_entry and nothing else, and every symbol it uses
# must be resolved when it is linked: a plugin never links to the host.
SDK_DIR := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
SDK_INCLUDE ?= $(firstword $(wildcard $(SDK_DIR)/include) $(SDK_DIR)/../../../include)
SOURCES ?= $(firstword $(wildcard $(PLUGIN).c $(PLUGIN).cpp $(PLUGIN).cc) $(PLUGIN).c)
OUT ?= .
HONE ?= hone
CFLAGS ?= -O2 -g
CXXFLAGS ?= $(CFLAGS)
HONE_PLUGIN_CFLAGS = -std=c11 -D_POSIX_C_SOURCE=200809L $(CFLAGS) -fPIC -fvisibility=hidden \
	-ffp-contract=off -pthread -I$(SDK_INCLUDE)
HONE_PLUGIN_CXXFLAGS = -std=c++17 -D_POSIX_C_SOURCE=200809L $(CXXFLAGS) -fPIC -fvisibility=hidden \
	-fvisibility-inlines-hidden -ffp-contract=off -pthread -I$(SDK_INCLUDE)
HONE_PLUGIN_LDFLAGS = -shared -pthread -Wl,-z,defs -Wl,--version-script=$(SDK_DIR)/plugin.map $(LDFLAGS)
HONE_OBJ_DIR := $(OUT)/.obj/$(PLUGIN)
HONE_OBJS := $(addprefix $(HONE_OBJ_DIR)/,$(addsuffix .o,$(basename $(notdir $(SOURCES)))))
HONE_LINK := $(if $(filter %.cpp %.cc,$(SOURCES)),$(CXX),$(CC))
hone_q := $(if $(filter 1,$(V)),,@)

# PROGRAM, TEST-SOURCE, FLAGS: objects of their own, so that the flags (sanitizers) are those of every file.
define hone_test_program
	@mkdir -p $(HONE_OBJ_DIR)
	$(hone_q)$(CC) -std=c11 -D_POSIX_C_SOURCE=200809L $(CFLAGS) $(3) -ffp-contract=off -I$(SDK_INCLUDE) \
		-c -o $(HONE_OBJ_DIR)/$(1).test.o $(2)
	$(hone_q)$(if $(filter %.cpp %.cc,$(SOURCES)),$(CXX) -std=c++17 $(CXXFLAGS),$(CC) -std=c11 $(CFLAGS)) \
		-D_POSIX_C_SOURCE=200809L $(3) -ffp-contract=off -pthread -I$(SDK_INCLUDE) -o $(1) \
		$(if $(filter %.cpp %.cc,$(SOURCES)),-x c++) $(SOURCES) -x none $(HONE_OBJ_DIR)/$(1).test.o $(LIBS)
endef

.DEFAULT_GOAL := hone-plugin
.PHONY: hone-plugin hone-plugin-clean
hone-plugin: $(OUT)/$(PLUGIN).so

vpath %.c $(sort $(dir $(SOURCES)))
vpath %.cpp $(sort $(dir $(SOURCES)))
vpath %.cc $(sort $(dir $(SOURCES)))
$(HONE_OBJ_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(hone_q)$(CC) $(HONE_PLUGIN_CFLAGS) -MMD -MP -c -o $@ $<
$(HONE_OBJ_DIR)/%.o: %.cpp
	@mkdir -p $(@D)
	$(hone_q)$(CXX) $(HONE_PLUGIN_CXXFLAGS) -MMD -MP -c -o $@ $<
$(HONE_OBJ_DIR)/%.o: %.cc
	@mkdir -p $(@D)
	$(hone_q)$(CXX) $(HONE_PLUGIN_CXXFLAGS) -MMD -MP -c -o $@ $<
$(OUT)/$(PLUGIN).so: $(HONE_OBJS) $(SDK_DIR)/plugin.map
	@mkdir -p $(@D)
	$(hone_q)$(HONE_LINK) $(CFLAGS) -o $@.tmp $(HONE_OBJS) $(HONE_PLUGIN_LDFLAGS) $(LIBS)
	$(hone_q)rm -f $(@:.so=.json) && mv -f $@.tmp $@
	@echo "  PLUGIN   $@"
	$(hone_q)if command -v $(HONE) >/dev/null 2>&1; then \
		$(HONE) plugin describe $@ --write || { rm -f $@; exit 1; }; fi
hone-plugin-clean:
	rm -rf $(HONE_OBJ_DIR) $(OUT)/$(PLUGIN).so $(OUT)/$(PLUGIN).json
-include $(HONE_OBJS:.o=.d)
