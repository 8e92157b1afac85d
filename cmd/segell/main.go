// Command segell issues the official documents of a social security fund: the
// intake API, the worker, and what operators and staff need beside them.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/alecthomas/kong"
)

// version is set by the linker; a build without it says what Go knows.
var version = ""

type cli struct {
	Settings
	JSON     bool   `name:"json" help:"Answer in JSON."`
	LogLevel string `name:"log-level" env:"SEGELL_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"What is logged: debug, info, warn, error."`

	Intake  intakeCmd  `cmd:"" help:"Serve the API and the verification pages."`
	Worker  workerCmd  `cmd:"" help:"Make documents."`
	Serve   serveCmd   `cmd:"" help:"Both in one process."`
	Check   checkCmd   `cmd:"" help:"Prove that Redis, the bucket, the seal and the time-stamping authorities deserve trust."`
	Render  renderCmd  `cmd:"" help:"Preview a document, watermarked and without a seal."`
	Verify  verifyCmd  `cmd:"" help:"Inspect a sealed PDF."`
	Jobs    jobsCmd    `cmd:"" help:"For staff: see what failed, why, and try it again."`
	Config  configCmd  `cmd:"" help:"Print the configuration in force, secrets hidden."`
	Keys    keysCmd    `cmd:"" help:"Make the ledger's keys."`
	Token   tokenCmd   `cmd:"" help:"Make an API token."`
	Health  healthCmd  `cmd:"" help:"Ask a running Segell whether it is ready (exit code 0 or 1)."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// exitCode is an error that only sets the exit code: everything was said.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// run is main with its edges given, and returns the exit code: 0 done, 1 failed,
// 2 asked wrongly.
func run(args []string, stdout, stderr io.Writer) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("segell"), kong.Description("The press of a social security fund's official documents."),
		kong.Resolvers(kong.ResolverFunc(fileResolver)), kong.Writers(stdout, stderr), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}))
	if err != nil {
		fmt.Fprintln(stderr, "segell:", err)
		return 2
	}
	ended := -1
	parser.Exit = func(code int) { ended = code }
	command, err := parser.Parse(doubleDashes(args))
	if ended >= 0 { // --help
		return ended
	}
	if err != nil {
		fmt.Fprintln(stderr, "segell:", err)
		fmt.Fprintln(stderr, "hint: `segell --help` lists the commands, `segell COMMAND --help` what one takes")
		return 2
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(strings.ToUpper(c.LogLevel))); err != nil {
		fmt.Fprintln(stderr, "segell:", err)
		return 2
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	out := &output{w: stdout, json: c.JSON}
	err = command.Run(&c.Settings, out, log)
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(stderr, "segell:", err)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintln(stderr, "hint:", hint)
	}
	return 1
}

// doubleDashes lets -json be written for --json, as Go's own commands do.
func doubleDashes(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		if len(arg) > 2 && arg[0] == '-' && arg[1] != '-' && arg[2] != '=' && (arg[1] < '0' || arg[1] > '9') {
			arg = "-" + arg
		}
		out[i] = arg
	}
	return out
}

// background ends when the process is asked to stop.
var background = func() func() context.Context {
	var ctx context.Context
	return func() context.Context {
		if ctx == nil {
			ctx, _ = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		}
		return ctx
	}
}()

// output is where answers go: tables for people, JSON for programs.
type output struct {
	w    io.Writer
	json bool
}

func (o *output) encode(v any) error {
	encoder := json.NewEncoder(o.w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func (o *output) table(head []string, rows [][]string) error {
	w := tabwriter.NewWriter(o.w, 0, 4, 3, ' ', 0)
	if head != nil {
		fmt.Fprintln(w, strings.Join(head, "\t"))
	}
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

type versionCmd struct{}

func (versionCmd) Run(out *output) error {
	_, err := fmt.Fprintln(out.w, "segell", versionText())
	return err
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
				return "dev-" + setting.Value[:12]
			}
		}
	}
	return "dev"
}
