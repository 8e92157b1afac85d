package main

import (
	"slices"
	"testing"
)

func TestVariablesThatAreNoSettingsAreFound(t *testing.T) {
	got := strangeVariables([]string{"HOME=/", "SEGELL_RETENTON=1", "SEGELL_RETENTION=default=1d", "SEGELL_S3_SECRET_KEY_FILE=x", "SEGELL_TLS_CERT_FILE=x",
		"SEGELL_TLS_CERT=x", "SEGELL_TLS_CERT_FILE_FILE=x", "SEGELL_S3_BUKET_FILE=x", "SEGELL_PORT=tcp://10.0.0.1:8080", "SEGELL_PORT_8080_TCP=x", "SEGELL_SERVICE_HOST=x"})
	want := []string{"SEGELL_RETENTON", "SEGELL_S3_BUKET_FILE", "SEGELL_TLS_CERT", "SEGELL_TLS_CERT_FILE_FILE"}
	if !slices.Equal(got, want) {
		t.Errorf("strange are %v, want %v", got, want)
	}
}
