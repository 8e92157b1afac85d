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
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"

	"github.com/alecthomas/kong"
)

// version is set by the linker; a build without it says what Go knows.
var version = ""

type cli struct {
	Settings
	JSON bool `name:"json" help:"Answer in JSON."`

	Intake    intakeCmd    `cmd:"" help:"Serve the API and the verification pages."`
	Worker    workerCmd    `cmd:"" help:"Make documents."`
	Console   consoleCmd   `cmd:"" help:"Serve the console of staff and its API."`
	Serve     serveCmd     `cmd:"" help:"Intake and worker in one process, with the console where SEGELL_CONSOLE_LISTEN is set."`
	Check     checkCmd     `cmd:"" help:"Prove that Redis, the bucket, the seal and the time-stamping authorities deserve trust."`
	Render    renderCmd    `cmd:"" help:"Preview a document, watermarked and without a seal."`
	Renew     renewCmd     `cmd:"" help:"Give documents whose archive time-stamp ends soon the next one, now."`
	Retention retentionCmd `cmd:"" help:"Remove what has been kept long enough, now."`
	Erase     eraseCmd     `cmd:"" help:"Erase everything of one person, whose CASS number is read from standard input."`
	Verify    verifyCmd    `cmd:"" help:"Inspect a sealed PDF: exit code 0 if it is valid, 1 if not."`
	Jobs      jobsCmd      `cmd:"" help:"For staff: see what failed, why, and try it again."`
	Pause     pauseCmd     `cmd:"" help:"For staff: have the workers leave a kind or a queue alone; alone it shows what is paused."`
	Resume    resumeCmd    `cmd:"" help:"For staff: go on with what was paused."`
	Staff     staffCmd     `cmd:"" help:"Who may log in to the console: accounts, second factors, tokens of the staff API."`
	Callbacks callbacksCmd `cmd:"" help:"For staff: see what clients could not be told, and send it again."`
	Config    configCmd    `cmd:"" help:"Print the configuration in force, secrets hidden; its --help tells every setting."`
	Keys      keysCmd      `cmd:"" help:"Make the ledger's keys, and change the one that encrypts."`
	Token     tokenCmd     `cmd:"" help:"Make an API token."`
	Audit     auditCmd     `cmd:"" help:"For auditors: who did what, and whether the trail is whole."`
	Health    healthCmd    `cmd:"" help:"Ask a running Segell whether it is ready: exit code 0 or 1."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// exitCode is an error that only sets the exit code: everything was said.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// The exit codes, besides 0.
const (
	failed      exitCode = 1
	askedWrong  exitCode = 2 // arguments or configuration: trying again changes nothing
	hintOfUsage          = "`segell --help` lists the commands, `segell COMMAND --help` what one takes"
)

// run is main with its edges given, and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("segell"), kong.Description("The press of a social security fund's official documents."),
		kong.Resolvers(kong.ResolverFunc(c.readFile)), kong.Writers(stdout, stderr), kong.Help(help),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}))
	if err != nil {
		fmt.Fprintln(stderr, "segell:", err)
		return int(askedWrong)
	}
	ended := -1
	parser.Exit = func(code int) { ended = code }
	command, err := parser.Parse(goFlags(args))
	if ended >= 0 { // --help
		return ended
	}
	out := &output{w: stdout, stderr: stderr, json: c.JSON}
	c.reread = func() (*Settings, error) { return readAgain(args) }
	if err != nil {
		err = usage(err)
	} else {
		log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: c.level(command.Command())}))
		err = command.Run(&c.Settings, out, log)
	}
	return out.end(err, stderr)
}

// readAgain reads the arguments and the environment of this process once more:
// what the files hold that they name may have changed.
func readAgain(args []string) (*Settings, error) {
	var c cli
	parser, err := kong.New(&c, kong.Resolvers(kong.ResolverFunc(c.readFile)))
	if err == nil {
		_, err = parser.Parse(goFlags(args))
	}
	return &c.Settings, err
}

// usage words what kong says of arguments, with the commands to choose from
// where one is missing.
func usage(err error) error {
	var parse *kong.ParseError
	if !errors.As(err, &parse) {
		return errorWithHint{err, hintOfUsage, askedWrong}
	}
	node := parse.Context.Selected()
	if node == nil {
		node = parse.Context.Model.Node
	}
	if len(node.Children) == 0 || !strings.HasPrefix(err.Error(), "expected ") {
		return errorWithHint{err, hintOfUsage, askedWrong}
	}
	text := "which command?\n"
	for _, child := range node.Children {
		text += fmt.Sprintf("\n  %-8s  %s", child.Name, child.Help)
	}
	return errorWithHint{errors.New(text + "\n"), "`" + node.FullPath() + " COMMAND --help` says what one takes", askedWrong}
}

// help prints the settings that a command reads, not all of them.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	command := ""
	if node := ctx.Selected(); node != nil {
		command = strings.Fields(node.FullPath())[1]
	}
	for _, flag := range ctx.Model.Flags {
		flag.Hidden = flag.Hidden || flag.Group != nil && !slices.Contains(groupsOf[command], flag.Group.Key)
	}
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil || command != "" {
		return err
	}
	_, err := fmt.Fprint(ctx.Stdout, "\nSettings are variables (SEGELL_…), files named by the variable with _FILE after it, or flags;\n"+
		"`segell config --help` tells them all.\n\n"+
		"Exit codes: 0 done, 1 failed, 2 asked wrongly (arguments or configuration).\n")
	return err
}

// groupsOf tells which groups of settings a command reads.
var groupsOf = map[string][]string{
	"intake":    {"Callbacks", "Storage", "Queue", "Ledger", "Doors", "Access", "Documents", "Log", "Audit"},
	"worker":    {"Callbacks", "Storage", "Queue", "Ledger", "Doors", "Seal", "Documents", "Worker", "Upkeep", "Log", "Audit"},
	"serve":     {"Callbacks", "Storage", "Queue", "Ledger", "Doors", "Access", "Seal", "Documents", "Worker", "Upkeep", "Log", "Console", "Audit"},
	"console":   {"Callbacks", "Storage", "Queue", "Ledger", "Doors", "Console", "Documents", "Audit", "Log"},
	"staff":     {"Callbacks", "Storage", "Ledger", "Console", "Staff", "Audit"},
	"check":     {"Callbacks", "Storage", "Queue", "Ledger", "Doors", "Access", "Seal", "Documents", "Worker", "Upkeep", "Staff", "Log", "Console", "Audit"},
	"config":    {"Callbacks", "Storage", "Queue", "Ledger", "Doors", "Access", "Seal", "Documents", "Worker", "Upkeep", "Staff", "Log", "Console", "Audit"},
	"jobs":      {"Callbacks", "Storage", "Queue", "Ledger", "Console", "Staff", "Audit"},
	"pause":     {"Storage", "Queue", "Ledger", "Staff", "Audit"},
	"resume":    {"Storage", "Queue", "Ledger", "Staff", "Audit"},
	"callbacks": {"Callbacks", "Storage", "Queue", "Ledger", "Staff", "Audit"},
	"audit":     {"Callbacks", "Storage", "Ledger", "Audit"},
	"keys":      {"Callbacks", "Storage", "Ledger", "Audit"},
	"renew":     {"Storage", "Queue", "Ledger", "Seal", "Upkeep"},
	"erase":     {"Callbacks", "Storage", "Queue", "Ledger", "Audit"},
	"retention": {"Callbacks", "Storage", "Queue", "Ledger", "Upkeep", "Audit"},
	"render":    {"Documents"},
	"verify":    {"Seal"},
	"health":    {"Doors"},
}

// goFlags lets -json be written for --json, as Go's own commands do, and `help
// COMMAND` for `COMMAND --help`.
func goFlags(args []string) []string {
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	out := slices.Clone(args)
	for i, arg := range out {
		if arg == "--" {
			break
		}
		if len(arg) > 2 && arg[0] == '-' && 'a' <= arg[1] && arg[1] <= 'z' && 'a' <= arg[2] && arg[2] <= 'z' {
			out[i] = "-" + arg
		}
	}
	return out
}

// background ends when the process is asked to stop. Asked a second time, the
// process ends at once.
var background = sync.OnceValue(func() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx
})

// output is where answers go: tables for people, JSON for programs.
type output struct {
	w      io.Writer
	stderr io.Writer // what is not the answer
	json   bool
}

// end says what went wrong, if anything did, and returns the exit code. People
// read it on stderr; who asked for JSON gets it there as well.
func (o *output) end(err error, stderr io.Writer) int {
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	var hinted errorWithHint
	errors.As(err, &hinted)
	fmt.Fprintln(stderr, "segell:", err)
	if hinted.hint != "" {
		fmt.Fprintln(stderr, "hint:", hinted.hint)
	}
	if o.json {
		answer := map[string]any{"error": err.Error()}
		if hinted.hint != "" {
			answer["hint"] = hinted.hint
		}
		var listed lister
		if errors.As(err, &listed) {
			answer["error"], answer["faults"] = listed.list()
		}
		if err := o.encode(answer); err != nil {
			fmt.Fprintln(stderr, "segell:", err)
		}
	}
	if hinted.code != 0 {
		return int(hinted.code)
	}
	return int(failed)
}

// A lister is an error of several faults, each of which a program wants to see.
type lister interface {
	error
	list() (summary string, faults any)
}

// errorWithHint is an error with a line on what to do about it, and the exit
// code if it is not 1.
type errorWithHint struct {
	error
	hint string
	code exitCode
}

func (e errorWithHint) Unwrap() error { return e.error }

// counted is a number with its noun.
func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + more
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
	if out.json {
		return out.encode(map[string]string{"version": versionText()})
	}
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
