BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE alert (
	id INTEGER NOT NULL, 
	patient_id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	score_id INTEGER NOT NULL, 
	rule VARCHAR(32) NOT NULL, 
	message VARCHAR(256) NOT NULL, 
	raised_at DATETIME NOT NULL, 
	acknowledged_at DATETIME, 
	acknowledged_by_id INTEGER, 
	CONSTRAINT pk_alert PRIMARY KEY (id), 
	CONSTRAINT fk_alert_acknowledged_by_id_user FOREIGN KEY(acknowledged_by_id) REFERENCES user (id), 
	CONSTRAINT fk_alert_patient_id_patient FOREIGN KEY(patient_id) REFERENCES patient (id) ON DELETE CASCADE, 
	CONSTRAINT fk_alert_score_id_score FOREIGN KEY(score_id) REFERENCES score (id) ON DELETE CASCADE, 
	CONSTRAINT fk_alert_study_id_study FOREIGN KEY(study_id) REFERENCES study (id) ON DELETE CASCADE, 
	CONSTRAINT uq_alert_study_id_rule UNIQUE (study_id, rule)
);
INSERT INTO "alert" VALUES(1,1,1,1,'malignancy','Suspicious breast','2026-11-21 09:30:00.000000','2026-11-21 09:30:00.000000',1);
CREATE TABLE audit_entry (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	user_id INTEGER, 
	action VARCHAR(64) NOT NULL, 
	subject VARCHAR(128), 
	detail JSON NOT NULL, 
	CONSTRAINT pk_audit_entry PRIMARY KEY (id), 
	CONSTRAINT fk_audit_entry_user_id_user FOREIGN KEY(user_id) REFERENCES user (id)
);
INSERT INTO "audit_entry" VALUES(1,'2026-11-21 09:30:00.000000',1,'sign_in','onc','{"from": "127.0.0.1"}');
CREATE TABLE embedding (
	id INTEGER NOT NULL, 
	image_id INTEGER NOT NULL, 
	encoder_sha256 VARCHAR(64) NOT NULL, 
	dimensions INTEGER NOT NULL, 
	vector BLOB NOT NULL, 
	heat_map BLOB NOT NULL, 
	heat_map_shape JSON NOT NULL, 
	transform JSON NOT NULL, 
	finding JSON NOT NULL, 
	density JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_embedding PRIMARY KEY (id), 
	CONSTRAINT fk_embedding_image_id_image FOREIGN KEY(image_id) REFERENCES image (id) ON DELETE CASCADE, 
	CONSTRAINT uq_embedding_image_id_encoder_sha256 UNIQUE (image_id, encoder_sha256)
);
INSERT INTO "embedding" VALUES(1,1,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc',2,X'0000803F00000040',X'003C','[1, 1]','{"flipped": false}','{"malignant": 0.1}','{"C": 1.0}','2026-11-21 09:30:00.000000');
CREATE TABLE event (
	id INTEGER NOT NULL, 
	patient_id INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	event_date DATE NOT NULL, 
	end_date DATE, 
	laterality VARCHAR(16), 
	detail TEXT, 
	recorded_by_id INTEGER, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_event PRIMARY KEY (id), 
	CONSTRAINT fk_event_patient_id_patient FOREIGN KEY(patient_id) REFERENCES patient (id) ON DELETE CASCADE, 
	CONSTRAINT fk_event_recorded_by_id_user FOREIGN KEY(recorded_by_id) REFERENCES user (id), 
	CONSTRAINT ck_event_eventkind CHECK (kind IN ('biopsy', 'diagnosis', 'surgery', 'therapy', 'note')), 
	CONSTRAINT ck_event_laterality CHECK (laterality IN ('L', 'R'))
);
INSERT INTO "event" VALUES(1,1,'biopsy','2025-04-01',NULL,'L','core',1,'2026-11-21 09:30:00.000000');
CREATE TABLE image (
	id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	sop_uid VARCHAR(64) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	media_type VARCHAR(32) NOT NULL, 
	source_name VARCHAR(512) NOT NULL, 
	laterality VARCHAR(16) NOT NULL, 
	"view" VARCHAR(16) NOT NULL, 
	rows INTEGER NOT NULL, 
	columns INTEGER NOT NULL, 
	bits_stored INTEGER NOT NULL, 
	pixel_spacing_mm DOUBLE, 
	window_center DOUBLE, 
	window_width DOUBLE, 
	manufacturer VARCHAR(128), 
	quality_flags JSON NOT NULL, 
	stated JSON NOT NULL, 
	rendition_sha256 VARCHAR(64) NOT NULL, 
	thumbnail_sha256 VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_image PRIMARY KEY (id), 
	CONSTRAINT fk_image_study_id_study FOREIGN KEY(study_id) REFERENCES study (id) ON DELETE CASCADE, 
	CONSTRAINT uq_image_sha256 UNIQUE (sha256), 
	CONSTRAINT uq_image_sop_uid UNIQUE (sop_uid), 
	CONSTRAINT ck_image_laterality CHECK (laterality IN ('L', 'R'))
);
INSERT INTO "image" VALUES(1,1,'2.25.100','0000000000000000000000000000000000000000000000000000000000000000','application/dicom','i0.dcm','L','CC',2600,2000,12,0.07,NULL,NULL,NULL,'[]','{}','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','2026-11-21 09:30:00.000000');
INSERT INTO "image" VALUES(2,1,'2.25.101','1111111111111111111111111111111111111111111111111111111111111111','application/dicom','i1.dcm','R','MLO',2600,2000,12,0.07,NULL,NULL,NULL,'["underexposed"]','{}','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','2026-11-21 09:30:00.000000');
INSERT INTO "image" VALUES(3,2,'2.25.102','2222222222222222222222222222222222222222222222222222222222222222','application/dicom','i2.dcm','L','CC',2600,2000,12,0.07,NULL,NULL,NULL,'[]','{}','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','2026-11-21 09:30:00.000000');
INSERT INTO "image" VALUES(4,2,'2.25.103','3333333333333333333333333333333333333333333333333333333333333333','application/dicom','i3.dcm','R','MLO',2600,2000,12,0.07,NULL,NULL,NULL,'[]','{}','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','2026-11-21 09:30:00.000000');
CREATE TABLE import_batch (
	id INTEGER NOT NULL, 
	source VARCHAR(16) NOT NULL, 
	user_id INTEGER, 
	stated_mrn VARCHAR(64), 
	stated_study_date DATE, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	CONSTRAINT pk_import_batch PRIMARY KEY (id), 
	CONSTRAINT fk_import_batch_user_id_user FOREIGN KEY(user_id) REFERENCES user (id)
);
INSERT INTO "import_batch" VALUES(1,'cli',1,'00017','2025-03-01','2026-11-21 09:30:00.000000','2026-11-21 09:30:00.000000');
CREATE TABLE import_item (
	id INTEGER NOT NULL, 
	batch_id INTEGER NOT NULL, 
	path VARCHAR(1024) NOT NULL, 
	sha256 VARCHAR(64), 
	outcome VARCHAR(16) NOT NULL, 
	reason VARCHAR(64), 
	detail TEXT, 
	image_id INTEGER, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_import_item PRIMARY KEY (id), 
	CONSTRAINT fk_import_item_batch_id_import_batch FOREIGN KEY(batch_id) REFERENCES import_batch (id) ON DELETE CASCADE, 
	CONSTRAINT fk_import_item_image_id_image FOREIGN KEY(image_id) REFERENCES image (id) ON DELETE SET NULL, 
	CONSTRAINT ck_import_item_outcome CHECK (outcome IN ('accepted', 'duplicate', 'quarantined'))
);
INSERT INTO "import_item" VALUES(1,1,'a.dcm','0000000000000000000000000000000000000000000000000000000000000000','accepted',NULL,NULL,1,'2026-11-21 09:30:00.000000');
INSERT INTO "import_item" VALUES(2,1,'b.dcm','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','quarantined','truncated','x',NULL,'2026-11-21 09:30:00.000000');
CREATE TABLE lesion (
	id INTEGER NOT NULL, 
	patient_id INTEGER NOT NULL, 
	laterality VARCHAR(16) NOT NULL, 
	label VARCHAR(64) NOT NULL, 
	kind VARCHAR(32), 
	recorded_by_id INTEGER, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_lesion PRIMARY KEY (id), 
	CONSTRAINT fk_lesion_patient_id_patient FOREIGN KEY(patient_id) REFERENCES patient (id) ON DELETE CASCADE, 
	CONSTRAINT fk_lesion_recorded_by_id_user FOREIGN KEY(recorded_by_id) REFERENCES user (id), 
	CONSTRAINT ck_lesion_laterality CHECK (laterality IN ('L', 'R'))
);
INSERT INTO "lesion" VALUES(1,1,'L','A','mass',1,'2026-11-21 09:30:00.000000');
CREATE TABLE measurement (
	id INTEGER NOT NULL, 
	lesion_id INTEGER NOT NULL, 
	image_id INTEGER NOT NULL, 
	diameter_mm DOUBLE, 
	x0 DOUBLE NOT NULL, 
	y0 DOUBLE NOT NULL, 
	x1 DOUBLE NOT NULL, 
	y1 DOUBLE NOT NULL, 
	measured_by_id INTEGER, 
	measured_at DATETIME NOT NULL, 
	CONSTRAINT pk_measurement PRIMARY KEY (id), 
	CONSTRAINT fk_measurement_image_id_image FOREIGN KEY(image_id) REFERENCES image (id) ON DELETE CASCADE, 
	CONSTRAINT fk_measurement_lesion_id_lesion FOREIGN KEY(lesion_id) REFERENCES lesion (id) ON DELETE CASCADE, 
	CONSTRAINT fk_measurement_measured_by_id_user FOREIGN KEY(measured_by_id) REFERENCES user (id)
);
INSERT INTO "measurement" VALUES(1,1,1,11.5,10.0,20.0,30.0,40.0,1,'2026-11-21 09:30:00.000000');
CREATE TABLE patient (
	id INTEGER NOT NULL, 
	mrn VARCHAR(64) NOT NULL, 
	name VARCHAR(256), 
	birth_date DATE, 
	sex VARCHAR(16) NOT NULL, 
	simulated BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_patient PRIMARY KEY (id), 
	CONSTRAINT uq_patient_mrn UNIQUE (mrn), 
	CONSTRAINT ck_patient_sex CHECK (sex IN ('F', 'M', 'O'))
);
INSERT INTO "patient" VALUES(1,'00017','Sim-0017','1968-03-02','F',1,'2026-11-21 09:30:00.000000');
CREATE TABLE risk_factors (
	id INTEGER NOT NULL, 
	patient_id INTEGER NOT NULL, 
	recorded_on DATE NOT NULL, 
	bmi DOUBLE, 
	first_degree_relatives_with_breast_cancer INTEGER, 
	postmenopausal BOOLEAN, 
	hormone_therapy BOOLEAN, 
	prior_biopsy BOOLEAN, 
	CONSTRAINT pk_risk_factors PRIMARY KEY (id), 
	CONSTRAINT fk_risk_factors_patient_id_patient FOREIGN KEY(patient_id) REFERENCES patient (id) ON DELETE CASCADE, 
	CONSTRAINT uq_risk_factors_patient_id_recorded_on UNIQUE (patient_id, recorded_on)
);
INSERT INTO "risk_factors" VALUES(1,1,'2025-03-01',24.5,NULL,1,NULL,NULL);
CREATE TABLE score (
	id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	model VARCHAR(64) NOT NULL, 
	weights_sha256 VARCHAR(64) NOT NULL, 
	calibration VARCHAR(64) NOT NULL, 
	inputs JSON NOT NULL, 
	computed_at DATETIME NOT NULL, 
	malignancy_left DOUBLE, 
	malignancy_right DOUBLE, 
	progression DOUBLE, 
	risk_1y DOUBLE NOT NULL, 
	risk_1y_low DOUBLE NOT NULL, 
	risk_1y_high DOUBLE NOT NULL, 
	risk_2y DOUBLE NOT NULL, 
	risk_2y_low DOUBLE NOT NULL, 
	risk_2y_high DOUBLE NOT NULL, 
	risk_3y DOUBLE NOT NULL, 
	risk_3y_low DOUBLE NOT NULL, 
	risk_3y_high DOUBLE NOT NULL, 
	risk_4y DOUBLE NOT NULL, 
	risk_4y_low DOUBLE NOT NULL, 
	risk_4y_high DOUBLE NOT NULL, 
	risk_5y DOUBLE NOT NULL, 
	risk_5y_low DOUBLE NOT NULL, 
	risk_5y_high DOUBLE NOT NULL, 
	density_a DOUBLE NOT NULL, 
	density_b DOUBLE NOT NULL, 
	density_c DOUBLE NOT NULL, 
	density_d DOUBLE NOT NULL, 
	priors INTEGER NOT NULL, 
	missing_views JSON NOT NULL, 
	contributions JSON NOT NULL, 
	CONSTRAINT pk_score PRIMARY KEY (id), 
	CONSTRAINT fk_score_study_id_study FOREIGN KEY(study_id) REFERENCES study (id) ON DELETE CASCADE
);
INSERT INTO "score" VALUES(1,1,'longitudinal-sim','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','2026-11','{"2.25.1": ["0000000000000000000000000000000000000000000000000000000000000000"]}','2026-11-21 09:30:00.000000',0.31,0.02,NULL,0.01,0.005,0.015,0.02,0.015,0.025,0.03,2.49999999999999979183e-02,3.49999999999999963917e-02,0.04,0.035,0.045,0.05,4.50000000000000052735e-02,0.055,0.1,0.2,0.6,0.1,0,'["L-MLO", "R-CC"]','[{"study_uid": "2.25.1", "study_date": "2025-03-01", "value": 1.0}]');
CREATE TABLE sign_in (
	token_sha256 VARCHAR(64) NOT NULL, 
	user_id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT pk_sign_in PRIMARY KEY (token_sha256), 
	CONSTRAINT fk_sign_in_user_id_user FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
);
INSERT INTO "sign_in" VALUES('ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',1,'2026-11-21 09:30:00.000000','2026-11-21 09:30:00.000000');
CREATE TABLE study (
	id INTEGER NOT NULL, 
	uid VARCHAR(64) NOT NULL, 
	patient_id INTEGER NOT NULL, 
	study_date DATE NOT NULL, 
	modality VARCHAR(16) NOT NULL, 
	description VARCHAR(256), 
	status VARCHAR(16) NOT NULL, 
	refusal_reason VARCHAR(64), 
	refusal_detail TEXT, 
	inputs_changed_at DATETIME NOT NULL, 
	claimed_by VARCHAR(64), 
	claimed_until DATETIME, 
	attempts INTEGER NOT NULL, 
	bi_rads VARCHAR(2), 
	bi_rads_edition VARCHAR(16), 
	reader_density VARCHAR(1), 
	assessment_note TEXT, 
	assessed_by_id INTEGER, 
	assessed_at DATETIME, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_study PRIMARY KEY (id), 
	CONSTRAINT ck_study_bi_rads CHECK (bi_rads IS NULL OR bi_rads IN ('0','1','2','3','4A','4B','4C','4','5','6')), 
	CONSTRAINT ck_study_reader_density CHECK (reader_density IS NULL OR reader_density IN ('A','B','C','D')), 
	CONSTRAINT fk_study_assessed_by_id_user FOREIGN KEY(assessed_by_id) REFERENCES user (id), 
	CONSTRAINT fk_study_patient_id_patient FOREIGN KEY(patient_id) REFERENCES patient (id) ON DELETE CASCADE, 
	CONSTRAINT uq_study_uid UNIQUE (uid), 
	CONSTRAINT ck_study_studystatus CHECK (status IN ('pending', 'scored', 'refused'))
);
INSERT INTO "study" VALUES(1,'2.25.1',1,'2025-03-01','MG',NULL,'scored',NULL,NULL,'2026-11-21 09:30:00.000000',NULL,NULL,0,'2','v2025','C',NULL,1,'2026-11-21 09:30:00.000000','2026-11-21 09:30:00.000000');
INSERT INTO "study" VALUES(2,'2.25.2',1,'2026-09-02','MG',NULL,'pending',NULL,NULL,'2026-11-21 09:30:00.000000',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-21 09:30:00.000000');
CREATE TABLE user (
	id INTEGER NOT NULL, 
	username VARCHAR(64) NOT NULL, 
	display_name VARCHAR(128) NOT NULL, 
	password_hash VARCHAR(256) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	active BOOLEAN NOT NULL, 
	failed_sign_ins INTEGER NOT NULL, 
	locked_until DATETIME, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_user PRIMARY KEY (id), 
	CONSTRAINT uq_user_username UNIQUE (username), 
	CONSTRAINT ck_user_role CHECK (role IN ('oncologist', 'staff', 'analyst', 'admin'))
);
INSERT INTO "user" VALUES(1,'onc','Dr O','$argon2id$none','oncologist',1,0,NULL,'2026-11-21 09:30:00.000000');
CREATE INDEX ix_patient_simulated ON patient (simulated);
CREATE INDEX ix_audit_entry_at ON audit_entry (at);
CREATE INDEX ix_event_patient_id ON event (patient_id);
CREATE INDEX ix_lesion_patient_id ON lesion (patient_id);
CREATE INDEX ix_sign_in_user_id ON sign_in (user_id);
CREATE INDEX ix_study_patient_date ON study (patient_id, study_date);
CREATE INDEX ix_study_queue ON study (status, claimed_until);
CREATE INDEX ix_image_study_id ON image (study_id);
CREATE INDEX ix_score_study_computed ON score (study_id, computed_at);
CREATE INDEX ix_alert_open ON alert (acknowledged_at, patient_id);
CREATE INDEX ix_import_item_batch_id ON import_item (batch_id);
CREATE INDEX ix_import_item_sha256 ON import_item (sha256);
CREATE INDEX ix_measurement_lesion_id ON measurement (lesion_id);
COMMIT;
