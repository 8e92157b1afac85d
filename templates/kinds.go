package templates

// kinds is the registry, in the order of the documents' codes in DESIGN. Adding a kind adds a line.
var kinds = []*Kind{
	coverageCertificate,
	studentCertificateUnder25,
	studentCertificate25To30,
	travelForm,
	medicalVoucherAbroad,
	incapacityExtract,
	incomeExtract,
	pointsExtract,
	workHistory,
	reimbursementList,
	benefitSheetCopies,
}
